# shellcheck shell=bash
# The steps of deploy/gcloud.sh that say who may do what: what the accounts may use, and who may call the functions.

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

# Pub/Sub calls all functions, operators the import API, and nobody else any.
step_callers() {
  local function operator
  for function in "${FUNCTIONS[@]}"; do caller "$function" "serviceAccount:$(account push)"; done
  for operator in $OPERATORS; do caller dispatch "$operator"; done
}

caller() {
  echo "gcloud run services add-iam-policy-binding $PREFIX-$1 --region=$REGION --member=$2 --role=roles/run.invoker --format=none"
}
