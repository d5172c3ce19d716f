#!/usr/bin/env bash
# From an empty Google Cloud project to running functions, with gcloud alone: docs/deploy-google-cloud.md. It makes what
# terraform/ makes, under the same names and with the same numbers, but for schedules, alerts and the dashboard.
#
#   deploy/gcloud.sh [--print] [--config FILE] [STEP...]
#
# Steps, all of them in this order when none is named; each may be taken again at any time:
#   services accounts database topics secrets storage permissions functions callers subscriptions
# Steps that are only taken by name:
#   secret NAME     give a secret a new value: asked for on a terminal, else read from standard input
#   remove PREFIX   remove what was made, but for the database; PREFIX is the names' prefix, typed as a confirmation
#
# --print shows the commands instead of running them; what it shows is what would run.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
STEPS=(services accounts database topics secrets storage permissions functions callers subscriptions)

main() {
  local printing="" steps=() commands
  CONFIG=$HERE/gcloud.env
  while [ $# -gt 0 ]; do
    case $1 in
      --print) printing=yes ;;
      --config) shift; CONFIG=${1:?"--config needs a file"} ;;
      -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; return ;;
      secret | remove) steps=("$1" "${2:?"$1 needs a name"}"); break ;;
      *) contains "$1" "${STEPS[@]}" || refuse "no step or option $1; see --help"; steps+=("$1") ;;
    esac
    shift
  done
  read_config
  commands=$(set -e; plan ${steps[@]+"${steps[@]}"})
  if [ -n "$printing" ]; then printf '%s\n' "$commands"; else exec bash -euo pipefail -c "$commands"; fi
}

# The commands of these steps, as a script for bash.
plan() {
  local step
  echo "export CLOUDSDK_CORE_PROJECT=$PROJECT CLOUDSDK_CORE_DISABLE_PROMPTS=1"
  case ${1:-} in
    secret | remove) "step_$1" "$2"; return ;;
    "") set -- "${STEPS[@]}" ;;
  esac
  # A service account may ask for the number only when its project's API for that is switched on.
  if [ "$1" = services ]; then taken services; shift; fi
  echo "PROJECT_NUMBER=\$(gcloud projects describe $PROJECT --format='value(projectNumber)')"
  for step; do taken "$step"; done
  printf '\necho "== done: the import API is at %s, notifications go to the topic %s"\n' "$(url dispatch)" "$PREFIX-events"
}

taken() {
  printf '\necho "== %s"\n' "$1"
  "step_$1"
}

read_config() {
  local name known
  [ -f "$CONFIG" ] || refuse "there is no $CONFIG: copy deploy/gcloud.env.example to it and fill it in"
  [[ $CONFIG == */* ]] || CONFIG=./$CONFIG
  known=$(sed -n 's/^#\{0,1\}\([A-Z_]*\)=.*/\1/p' "$HERE/gcloud.env.example")
  # shellcheck disable=SC2086 # names without spaces
  for name in $(sed -n 's/^ *\([A-Za-z_0-9]*\)=.*/\1/p' "$CONFIG"); do
    contains "$name" $known || refuse "$CONFIG sets $name, which is not in deploy/gcloud.env.example"
  done
  # shellcheck disable=SC2086 # what happens to be in the environment is not meant
  unset $known
  # shellcheck source=/dev/null
  . "$CONFIG"
  setting GOOGLE_CLOUD_PROJECT '^[a-z][a-z0-9-]{4,28}[a-z0-9]$'
  setting REGION '^[a-z]+-[a-z]+[0-9]+$'
  setting CT_API_URL '^https://[^/?#[:space:]]+/?$'
  setting CT_AUTH_URL '^https://[^/?#[:space:]]+/?$'
  setting CT_PROJECT_ID '^[A-Za-z0-9_-]{2,36}$'
  setting OPERATORS '^((user|group|serviceAccount):[^@[:space:]]+@[^@[:space:]]+ *)*$' ""
  setting IMPORT_API_KEY_ENABLED '^(true|false)$' false
  setting GOOGLE_NAME_PREFIX '^[a-z][a-z0-9-]{1,20}[a-z0-9]$' klaviyo-sync
  setting FIRESTORE_DATABASE '^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$' "$GOOGLE_NAME_PREFIX-state"
  setting FIRESTORE_LOCATION '^[a-z0-9-]+$' "$REGION"
  setting REALTIME_MIN_INSTANCES '^[0-9]{1,2}$' 0
  setting REALTIME_MAX_INSTANCES '^([1-9][0-9]?|100)$' 2
  setting DISPATCH_MAX_INSTANCES '^([1-9][0-9]?|100)$' 2
  setting WORKER_MAX_INSTANCES '^([1-9][0-9]?|100)$' 1
  setting WORKER_SLOTS '^([1-9]|1[0-6])$' 4
  setting SOURCE_ARCHIVE . "$(dirname "$HERE")/build/source.zip"
  for name in "${HANDED_ON[@]}"; do
    [[ ${!name:-} != *";;"* ]] || refuse "$name in $CONFIG has two semicolons in a row, which cannot be handed on"
  done
  PROJECT=$GOOGLE_CLOUD_PROJECT
  PREFIX=$GOOGLE_NAME_PREFIX
}

# setting NAME PATTERN [DEFAULT]: gives what is not set its default, and refuses what does not match.
setting() {
  printf -v "$1" %s "${!1:-${3:-}}"
  [ -n "${!1}${3+optional}" ] || refuse "$1 is not set in $CONFIG"
  [[ ${!1} =~ $2 ]] || refuse "$1 in $CONFIG does not look like one: ${!1}"
  case ${!1} in my-cloud-project | your-project-key | *@example.com*) refuse "$1 in $CONFIG is still the example's" ;; esac
}

refuse() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 2
}

# contains ONE OTHER...: whether it is among the others.
contains() {
  local wanted=$1 one
  shift
  for one; do [ "$one" != "$wanted" ] || return 0; done
  return 1
}

# quoted TEXT: one word for a shell, whatever is in it.
quoted() {
  local quote="'" escaped="'\\''"
  printf %s "'${1//$quote/$escaped}'"
}

# The steps: each prints its commands. What is configured has been checked, and needs no quotes but where it is quoted.

# shellcheck source=deploy/gcloud/names.sh
. "$HERE/gcloud/names.sh"
# shellcheck source=deploy/gcloud/foundations.sh
. "$HERE/gcloud/foundations.sh"
# shellcheck source=deploy/gcloud/permissions.sh
. "$HERE/gcloud/permissions.sh"
# shellcheck source=deploy/gcloud/functions.sh
. "$HERE/gcloud/functions.sh"
# shellcheck source=deploy/gcloud/subscriptions.sh
. "$HERE/gcloud/subscriptions.sh"
# shellcheck source=deploy/gcloud/removal.sh
. "$HERE/gcloud/removal.sh"
main "$@"
