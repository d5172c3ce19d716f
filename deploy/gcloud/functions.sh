# shellcheck shell=bash
# The step of deploy/gcloud.sh that deploys the functions, with their sizes, limits and variables.

# Settings of the product that are handed on as they are, where they are set.
HANDED_ON=(CT_API_URL CT_AUTH_URL CT_PROJECT_ID CT_SCOPES KLAVIYO_API_URL PRODUCT_URL_TEMPLATE PREFERRED_LOCALE
  PREFERRED_CURRENCY SYNC_CONFIG LOG_LEVEL)

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
  deploy dispatch bulk_dispatch all 512Mi "$(places "$DISPATCH_MAX_INSTANCES")" 0 "$DISPATCH_MAX_INSTANCES"
  deploy worker bulk_worker internal-only 1Gi $((4 * WORKER_SLOTS + 2)) 0 "$WORKER_MAX_INSTANCES"
}

# places INSTANCES: of each, so that all have room for the 16 ranges of each of the four kinds, and for 16 calls more: who wants to
# stop an import is let in while all are planned. With two or more instances it is Terraform's number.
places() {
  local each=$(((4 * 16 + 16 + $1 - 1) / $1))
  echo $((each > 40 ? each : 40))
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
