# shellcheck shell=bash
# The step of deploy/gcloud.sh that removes what the others made.

# Deliveries end first. What is gone is passed over, so this too may be taken again.
step_remove() {
  local stream function name
  [ "$1" = "$PREFIX" ] || refuse "$CONFIG is about $PREFIX, not about $1: nothing was removed"
  echo "there=\$(gcloud pubsub subscriptions list --format='value(name.basename())')"
  for stream in "${STREAMS[@]}"; do
    for name in "$PREFIX-$stream-push" "$PREFIX-$stream-dead-hold"; do gone "$name" "pubsub subscriptions delete $name"; done
  done
  for name in "$PREFIX-plan-dead-push" "$PREFIX-work-dead-push"; do gone "$name" "pubsub subscriptions delete $name"; done
  echo "there=\$(gcloud functions list --regions=$REGION --format='value(name.basename())')"
  for function in "${FUNCTIONS[@]}"; do gone "$PREFIX-$function" "functions delete $PREFIX-$function --gen2 --region=$REGION"; done
  echo "there=\$(gcloud pubsub topics list --format='value(name.basename())')"
  for stream in "${STREAMS[@]}"; do
    for name in "$PREFIX-$stream" "$PREFIX-$stream-dead"; do gone "$name" "pubsub topics delete $name"; done
  done
  echo "there=\$(gcloud secrets list --format='value(name.basename())')"
  for name in $(IMPORT_API_KEY_ENABLED=true secrets); do gone "$(secret_name "$name")" "secrets delete $(secret_name "$name")"; done
  echo "there=\$(gcloud storage buckets list --format='value(name)')"
  gone "$(bucket)" "storage rm --recursive gs://$(bucket)"
  echo "there=\$(gcloud artifacts repositories list --location=$REGION --format='value(name.basename())')"
  gone "$PREFIX-functions" "artifacts repositories delete $PREFIX-functions --location=$REGION"
  echo "there=\$(gcloud iam service-accounts list --format='value(email)')"
  for name in "${STREAMS[@]}" push build; do gone "$(account "$name")" "iam service-accounts delete $(account "$name")"; done
}

gone() {
  echo "if grep -qxF $1 <<<\"\$there\"; then gcloud $2 --project=$PROJECT; fi"
}
