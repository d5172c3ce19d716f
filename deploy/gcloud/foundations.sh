# shellcheck shell=bash
# The steps of deploy/gcloud.sh that everything rests on: APIs, accounts, the database, topics, secrets, and where source and
# images are kept.

# Records of imports: their collections, and large fields that nothing is looked for by.
COLLECTIONS=(runs ranges batches)
WIDE_FIELDS=(runs/record ranges/record batches/carried batches/examples batches/failed_items batches/ids batches/lists batches/reasons)

step_services() {
  cat <<EOF
gcloud services enable artifactregistry.googleapis.com cloudbuild.googleapis.com cloudfunctions.googleapis.com \\
  cloudresourcemanager.googleapis.com firestore.googleapis.com iam.googleapis.com logging.googleapis.com \\
  monitoring.googleapis.com pubsub.googleapis.com run.googleapis.com secretmanager.googleapis.com storage.googleapis.com
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
  --policy=$(quoted "$HERE/gcloud/images.json")
EOF
}
