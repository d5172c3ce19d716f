# shellcheck shell=bash
# The step of deploy/gcloud.sh that has topics delivered to the functions.

# Seconds.
MOST_ACK_DEADLINE=600
WEEK=604800

# What cannot be handled goes to a dead-letter topic, and is held there for a week. An import goes on all the same: the worker is
# told of dead batches, and the dispatcher gets dead plans as if they were new.
step_subscriptions() {
  local stream operator
  echo "there=\$(gcloud pubsub subscriptions list --format='value(name.basename())')"
  for stream in "${STREAMS[@]}"; do
    subscription "$stream-dead-hold" "$stream-dead" "--ack-deadline=60 --message-retention-duration=${WEEK}s"
    for operator in $OPERATORS; do
      subscriber "$PREFIX-$stream-dead-hold" "$operator"
      publisher "$PREFIX-$stream" "$operator"
    done
  done
  pushed events realtime / 600
  pushed plan dispatch /tasks/plan 60
  pushed work worker / 60
  subscription plan-dead-push plan-dead "$(push_flags dispatch /tasks/plan 600)"
  subscription work-dead-push work-dead "$(push_flags worker /dead 600)"
}

# pushed STREAM FUNCTION PATH LONGEST_WAIT
pushed() {
  subscription "$1-push" "$1" "$(push_flags "$2" "$3" "$4") \\
    --dead-letter-topic=$PREFIX-$1-dead --max-delivery-attempts=100"
  subscriber "$PREFIX-$1-push" "$(agent)"
}

# push_flags FUNCTION PATH LONGEST_WAIT
push_flags() {
  local ack_deadline=$(($(timeout_of "$1") + MARGIN))
  [ $ack_deadline -le $MOST_ACK_DEADLINE ] || ack_deadline=$MOST_ACK_DEADLINE
  cat <<EOF
--ack-deadline=$ack_deadline --message-retention-duration=${WEEK}s --min-retry-delay=10s --max-retry-delay=${3}s \\
    --push-endpoint=$(url "$1")$2 --push-auth-token-audience=$(url "$1") \\
    --push-auth-service-account=$(account push)
EOF
}

# subscription NAME TOPIC FLAGS: made, or brought to what it should be; names without the prefix.
subscription() {
  cat <<EOF
if grep -qxF $PREFIX-$1 <<<"\$there"; then
  gcloud pubsub subscriptions update $PREFIX-$1 $3
else
  gcloud pubsub subscriptions create $PREFIX-$1 --topic=$PREFIX-$2 --expiration-period=never $3
fi
EOF
}
