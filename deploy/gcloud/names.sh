# shellcheck shell=bash
# What deploy/gcloud.sh calls what it makes, and what its steps, in the files beside this one, agree on. $PROJECT_NUMBER stays as
# it is, since the commands themselves ask for it.

# Each function has an account, which is named after the stream that it works.
FUNCTIONS=(realtime dispatch worker)
STREAMS=(events plan work)

account() { printf '%s-%s@%s.iam.gserviceaccount.com' "$PREFIX" "$1" "$PROJECT"; }

# Known before the function is made, which is told it: the audience of the tokens that it accepts.
url() { printf 'https://%s-%s-$PROJECT_NUMBER.%s.run.app' "$PREFIX" "$1" "$REGION"; }

agent() { printf 'serviceAccount:service-$PROJECT_NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com'; }

bucket() { printf '%s-%s-source' "$PROJECT" "$PREFIX"; }

secrets() {
  echo CT_API_CLIENT KLAVIYO_AUTH_KEY
  [ "$IMPORT_API_KEY_ENABLED" = false ] || echo BULK_IMPORT_API_KEY
}

# Only callers of the import API have a key.
secrets_of() {
  [ "$1" = dispatch ] && secrets || echo CT_API_CLIENT KLAVIYO_AUTH_KEY
}

secret_name() { printf '%s-%s' "$PREFIX" "$(printf %s "${1#BULK_}" | tr A-Z_ a-z-)"; }

stream_of() {
  case $1 in realtime) echo events ;; dispatch) echo plan ;; worker) echo work ;; esac
}

# Seconds. A function stops its own work MARGIN before its time is over, and Pub/Sub waits as long beyond it, if it can.
MARGIN=60

timeout_of() {
  case $1 in realtime) echo 60 ;; dispatch) echo 300 ;; worker) echo 540 ;; esac
}
