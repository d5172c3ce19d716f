# shellcheck shell=bash
# The steps of deploy/gcloud.sh: each prints its commands. What is configured has been checked, and needs no quotes but where
# it is quoted. $PROJECT_NUMBER stays as it is, since the commands themselves ask for it.

# Each function has an account, which is named after the stream that it works.
FUNCTIONS=(realtime dispatch worker)
STREAMS=(events plan work)

# Settings of the product that are handed on as they are, where they are set.
HANDED_ON=(CT_API_URL CT_AUTH_URL CT_PROJECT_ID CT_SCOPES KLAVIYO_API_URL PRODUCT_URL_TEMPLATE PREFERRED_LOCALE
  PREFERRED_CURRENCY SYNC_CONFIG LOG_LEVEL)

# Seconds. A function stops its own work MARGIN before its time is over, and Pub/Sub waits as long beyond it, if it can.
MARGIN=60
MOST_ACK_DEADLINE=600
WEEK=604800

# Records of imports: their collections, and large fields that nothing is looked for by.
COLLECTIONS=(runs ranges batches)
WIDE_FIELDS=(runs/record ranges/record batches/carried batches/examples batches/failed_items batches/ids batches/lists batches/reasons)

account() { printf '%s-%s@%s.iam.gserviceaccount.com' "$PREFIX" "$1" "$PROJECT"; }

# Known before the function is made, which is told it: the audience of the tokens that it accepts.
url() { printf 'https://%s-%s-$PROJECT_NUMBER.%s.run.app' "$PREFIX" "$1" "$REGION"; }

agent() { printf 'serviceAccount:service-$PROJECT_NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com'; }

bucket() { printf '%s-%s-source' "$PROJECT" "$PREFIX"; }

secrets() {
  echo CT_API_CLIENT KLAVIYO_AUTH_KEY
  [ "$IMPORT_API_KEY_ENABLED" = false ] || echo BULK_IMPORT_API_KEY
}

secret_name() { printf '%s-%s' "$PREFIX" "$(printf %s "${1#BULK_}" | tr A-Z_ a-z-)"; }

stream_of() {
  case $1 in realtime) echo events ;; dispatch) echo plan ;; worker) echo work ;; esac
}

timeout_of() {
  case $1 in realtime) echo 60 ;; dispatch) echo 300 ;; worker) echo 540 ;; esac
}

# ---- what everything rests on ---------------------------------------------------------------------------------------

step_services() {
  cat <<EOF
gcloud services enable artifactregistry.googleapis.com cloudbuild.googleapis.com cloudfunctions.googleapis.com \\
  firestore.googleapis.com iam.googleapis.com logging.googleapis.com monitoring.googleapis.com pubsub.googleapis.com \\
  run.googleapis.com secretmanager.googleapis.com storage.googleapis.com
gcloud beta services identity create --service=pubsub.googleapis.com --project=$PROJECT
EOF
}

# One for each function, one that calls them for Pub/Sub, one that builds them.
step_accounts() {
  local name
  echo "there=\$(gcloud iam service-accounts list --format='value(email)')"
  for name in "${STREAMS[@]}" push build; do
    cat <<EOF
grep -qxF $(account "$name") <<<"\$there" || gcloud iam service-accounts create $PREFIX-$name --display-name=$PREFIX-$name
EOF
  done
}

# Records end by themselves. Nothing is looked for by when they do, nor by what is large in them.
step_database() {
  local database collection field
  database=$(quoted "$FIRESTORE_DATABASE")
  cat <<EOF
there=\$(gcloud firestore databases list --format='value(name.basename())')
grep -qxF $database <<<"\$there" || gcloud firestore databases create --database=$database \\
  --location=$FIRESTORE_LOCATION --type=firestore-native --delete-protection
there=\$(gcloud firestore indexes fields list --database=$database --format='value(name)')
EOF
  for field in "${COLLECTIONS[@]/%//expires_at}" "${WIDE_FIELDS[@]}"; do exempt "${field%/*}" "${field#*/}"; done
  echo "there=\$(gcloud firestore fields ttls list --database=$database --format='value(name)')"
  for collection in "${COLLECTIONS[@]}"; do
    cat <<EOF
grep -q /$collection/fields/expires_at <<<"\$there" || gcloud firestore fields ttls update expires_at \\
  --collection-group=$collection --database=$database --enable-ttl --async
EOF
  done
}

# exempt COLLECTION FIELD: from indexes. It is waited for, since two changes of one field at once get in each other's way.
exempt() {
  cat <<EOF
grep -q /$1/fields/$2 <<<"\$there" || gcloud firestore indexes fields update $2 \\
  --collection-group=$1 --database=$(quoted "$FIRESTORE_DATABASE") --disable-indexes
EOF
}

step_topics() {
  local stream topic
  echo "there=\$(gcloud pubsub topics list --format='value(name.basename())')"
  for stream in "${STREAMS[@]}"; do
    for topic in "$PREFIX-$stream" "$PREFIX-$stream-dead"; do
      cat <<EOF
grep -qxF $topic <<<"\$there" || gcloud pubsub topics create $topic --message-storage-policy-allowed-regions=$REGION
EOF
    done
  done
}

step_secrets() {
  local name
  echo "there=\$(gcloud secrets list --format='value(name.basename())')"
  for name in $(secrets); do
    kept "$name"
    cat <<EOF
value=\$(gcloud secrets versions list $(secret_name "$name") --filter=state=ENABLED --limit=1 --format='value(name)')
[ -n "\$value" ] || $(quoted "$HERE/gcloud.sh") --config $(quoted "$CONFIG") secret $name </dev/tty
EOF
  done
}

kept() {
  cat <<EOF
grep -qxF $(secret_name "$1") <<<"\$there" || gcloud secrets create $(secret_name "$1") \\
  --replication-policy=user-managed --locations=$REGION
EOF
}

# A value goes from the terminal, or from a file, to gcloud's standard input; an argument could be seen by others.
step_secret() {
  # shellcheck disable=SC2046 # names without spaces
  contains "$1" $(secrets) || refuse "there is no secret $1, only: $(secrets | xargs)"
  echo "there=\$(gcloud secrets list --format='value(name.basename())')"
  kept "$1"
  cat <<EOF
if [ -t 0 ]; then read -rsp 'the value of $1, which is not shown: ' value; echo; else value=\$(cat); fi
[ -n "\$value" ] || { echo 'that is empty' >&2; exit 2; }
printf %s "\$value" | gcloud secrets versions add $(secret_name "$1") --data-file=-
EOF
}

# What the functions are built from, and where their images are kept.
step_storage() {
  cat <<EOF
there=\$(gcloud storage buckets list --format='value(name)')
grep -qxF $(bucket) <<<"\$there" || gcloud storage buckets create gs://$(bucket) --location=$REGION \\
  --uniform-bucket-level-access --public-access-prevention
there=\$(gcloud artifacts repositories list --location=$REGION --format='value(name.basename())')
grep -qxF $PREFIX-functions <<<"\$there" || gcloud artifacts repositories create $PREFIX-functions --location=$REGION \\
  --repository-format=docker
gcloud artifacts repositories set-cleanup-policies $PREFIX-functions --location=$REGION --no-dry-run \\
  --policy=$(quoted "$HERE/gcloud_images.json")
EOF
}

# ---- who may do what ------------------------------------------------------------------------------------------------

# Each account may do what its part has to, and no more. Pub/Sub itself hands over what it gives up, and makes tokens.
step_permissions() {
  local stream name function
  for name in plan work; do
    project_role "$name" roles/datastore.user \
      "title=$PREFIX-database,expression=resource.name == \\\"projects/$PROJECT/databases/$FIRESTORE_DATABASE\\\""
    for stream in plan work; do publisher "$PREFIX-$stream" "serviceAccount:$(account "$name")"; done
  done
  publisher "$PREFIX-events" serviceAccount:subscriptions@commercetools-platform.iam.gserviceaccount.com
  for stream in "${STREAMS[@]}"; do publisher "$PREFIX-$stream-dead" "$(agent)"; done
  cat <<EOF
gcloud iam service-accounts add-iam-policy-binding $(account push) --member=$(agent) \\
  --role=roles/iam.serviceAccountTokenCreator --format=none
EOF
  for function in "${FUNCTIONS[@]}"; do
    for name in $(secrets_of "$function"); do
      cat <<EOF
gcloud secrets add-iam-policy-binding $(secret_name "$name") --member=serviceAccount:$(account "$(stream_of "$function")") \\
  --role=roles/secretmanager.secretAccessor --format=none
EOF
    done
  done
  cat <<EOF
gcloud artifacts repositories add-iam-policy-binding $PREFIX-functions --location=$REGION \\
  --member=serviceAccount:$(account build) --role=roles/artifactregistry.writer --format=none
EOF
  project_role build roles/logging.logWriter None
  project_role build roles/storage.objectViewer "$(of_source)"
}

# Google copies the source into buckets that it makes itself; all that its documentation names may be read.
of_source() {
  local name condition=""
  for name in "$(bucket)/" run-sources- gcf-v2-sources- gcf-v2-uploads-; do
    condition+="${condition:+ || }resource.name.startsWith(\\\"projects/_/buckets/$name\\\")"
  done
  printf %s "title=$PREFIX-source,expression=resource.type == \\\"storage.googleapis.com/Object\\\" && ($condition)"
}

# project_role ACCOUNT ROLE CONDITION
project_role() {
  cat <<EOF
gcloud projects add-iam-policy-binding $PROJECT --member=serviceAccount:$(account "$1") --role=$2 \\
  --condition="$3" --format=none
EOF
}

publisher() {
  echo "gcloud pubsub topics add-iam-policy-binding $1 --member=$2 --role=roles/pubsub.publisher --format=none"
}

subscriber() {
  echo "gcloud pubsub subscriptions add-iam-policy-binding $1 --member=$2 --role=roles/pubsub.subscriber --format=none"
}

# Only callers of the import API have a key.
secrets_of() {
  [ "$1" = dispatch ] && secrets || echo CT_API_CLIENT KLAVIYO_AUTH_KEY
}

# Pub/Sub calls all functions, operators the import API, and nobody else any.
step_callers() {
  local function operator
  for function in "${FUNCTIONS[@]}"; do caller "$function" "serviceAccount:$(account push)"; done
  for operator in $OPERATORS; do caller dispatch "$operator"; done
}

caller() {
  echo "gcloud run services add-iam-policy-binding $PREFIX-$1 --region=$REGION --member=$2 --role=roles/run.invoker --format=none"
}

# ---- the functions --------------------------------------------------------------------------------------------------

# The worker has four deliveries for each slot, most of which wait for Klaviyo, and two for messages that were given up.
step_functions() {
  local archive
  archive=$(quoted "$SOURCE_ARCHIVE")
  cat <<EOF
[ -f $archive ] || { echo $archive 'is not there; write it: make source-archive' >&2; exit 1; }
source=gs://$(bucket)/source-\$({ sha256sum $archive 2>/dev/null || shasum -a 256 $archive; } | cut -c 1-64).zip
gcloud storage cp --no-clobber $archive "\$source"
EOF
  deploy realtime realtime_event internal-only 512Mi 32 "$REALTIME_MIN_INSTANCES" "$REALTIME_MAX_INSTANCES"
  deploy dispatch bulk_dispatch all 512Mi 24 0 "$DISPATCH_MAX_INSTANCES"
  deploy worker bulk_worker internal-only 1Gi $((4 * WORKER_SLOTS + 2)) 0 "$WORKER_MAX_INSTANCES"
}

# deploy FUNCTION ENTRY_POINT INGRESS MEMORY CONCURRENCY MIN_INSTANCES MAX_INSTANCES
deploy() {
  local name given=""
  for name in $(secrets_of "$1"); do given+="${given:+,}$name=$(secret_name "$name"):latest"; done
  cat <<EOF
gcloud functions deploy $PREFIX-$1 --gen2 --region=$REGION --runtime=python312 --entry-point=$2 --source="\$source" \\
  --build-service-account=projects/$PROJECT/serviceAccounts/$(account build) \\
  --docker-repository=projects/$PROJECT/locations/$REGION/repositories/$PREFIX-functions \\
  --service-account=$(account "$(stream_of "$1")") --trigger-http --no-allow-unauthenticated --ingress-settings=$3 \\
  --cpu=1 --memory=$4 --concurrency=$5 --min-instances=$6 --max-instances=$7 --timeout=$(timeout_of "$1")s \\
  --set-secrets=$given \\
  --set-env-vars=$(variables "$1" "$5" "$7")
EOF
}

# variables FUNCTION CONCURRENCY MAX_INSTANCES: as one word for a shell, and then for gcloud, which is told where to split it.
variables() {
  local name pairs=() text="^;;^"
  for name in "${HANDED_ON[@]}"; do [ -z "${!name:-}" ] || pairs+=("$name=${!name}"); done
  # Many threads come and go. With glibc's arena for each of them their memory would never be used again.
  pairs+=(MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576)
  # One process with a thread for each call; all instances of a function together stay within Klaviyo's limits. With an id of
  # each call in the log the framework would redirect the whole process's output, which threads must not do to each other.
  pairs+=("THREADS=$2" "KLAVIYO_RATE_SHARE=$(rate_share "$3")" LOG_EXECUTION_ID=false)
  if [ "$1" = realtime ]; then
    pairs+=(REALTIME_DEADLINE_S=8.5)
  else
    pairs+=(STATE_BACKEND=firestore QUEUE_BACKEND=pubsub "GOOGLE_CLOUD_PROJECT=$PROJECT" "GOOGLE_NAME_PREFIX=$PREFIX"
      "FIRESTORE_DATABASE=$FIRESTORE_DATABASE" "WORKER_DEADLINE_S=$(($(timeout_of "$1") - MARGIN))"
      "PUSH_SERVICE_ACCOUNT=$(account push)")
  fi
  [ "$1" != worker ] || pairs+=("WORKER_SLOTS=$WORKER_SLOTS")
  for name in "${pairs[@]}"; do text+="$name;;"; done
  quoted "${text%;;}"
  [ "$1" = realtime ] || printf '";;PUSH_AUDIENCE=%s"' "$(url "$1")"
}

# rate_share N: an Nth, rounded down to four places.
rate_share() {
  local share
  share=$(printf '%d.%04d' $((1 / $1)) $((10000 / $1 % 10000)))
  while [[ $share == *[.0] && $share == *.* ]]; do share=${share%?}; done
  echo "$share"
}

# ---- deliveries -----------------------------------------------------------------------------------------------------

# What cannot be handled goes to a dead-letter topic, and is held there for a week; of dead batches the worker is told, too.
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

# ---- the end --------------------------------------------------------------------------------------------------------

# Deliveries end first. What is gone is passed over, so this too may be taken again.
step_remove() {
  local stream function name
  [ "$1" = "$PREFIX" ] || refuse "$CONFIG is about $PREFIX, not about $1: nothing was removed"
  echo "there=\$(gcloud pubsub subscriptions list --format='value(name.basename())')"
  for stream in "${STREAMS[@]}"; do
    for name in "$PREFIX-$stream-push" "$PREFIX-$stream-dead-hold"; do gone "$name" "pubsub subscriptions delete $name"; done
  done
  gone "$PREFIX-work-dead-push" "pubsub subscriptions delete $PREFIX-work-dead-push"
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
