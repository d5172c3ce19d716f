# Who may do what. Nothing is open to everybody.

# Calling the functions. A binding holds the whole list: whoever was added by hand loses the permission again. Owners and editors
# of the project may call them, too; that comes with these roles, and is a reason for a project of its own.
locals {
  push_member = google_service_account.account["push"].member
  invokers = {
    realtime = [local.push_member]
    dispatcher = concat(
      [local.push_member],
      length(var.scheduled_imports) > 0 ? [google_service_account.account["scheduler"].member] : [],
      tolist(var.operators),
    )
    worker = [local.push_member]
  }
}

resource "google_cloud_run_v2_service_iam_binding" "invokers" {
  for_each = local.invokers

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.function[each.key].name
  role     = "roles/run.invoker"
  members  = each.value

  # A function that is replaced comes back with nobody allowed to call it, under the same name. An update keeps its id, and this.
  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.function[each.key].id]
  }
}

# State: the import's functions, and only in their own database.
resource "google_project_iam_member" "database" {
  for_each = toset(["dispatcher", "worker"])

  project = var.project_id
  role    = "roles/datastore.user"
  member  = google_service_account.account[each.value].member

  condition {
    title       = "${var.name_prefix}-database"
    description = "Only the database of this installation."
    expression  = "resource.name == \"projects/${var.project_id}/databases/${local.firestore_database}\""
  }
}

# Publishing: both functions of the import continue a run, each with messages of both kinds.
resource "google_pubsub_topic_iam_member" "import" {
  for_each = {
    for pair in setproduct(["plan", "work"], ["dispatcher", "worker"]) : "${pair[0]}-by-${pair[1]}" => { stream = pair[0], account = pair[1] }
  }

  project = var.project_id
  topic   = google_pubsub_topic.stream[each.value.stream].name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.account[each.value.account].member
}

resource "google_pubsub_topic_iam_member" "commercetools" {
  project = var.project_id
  topic   = google_pubsub_topic.stream["events"].name
  role    = "roles/pubsub.publisher"
  member  = var.commercetools_publisher
}

# Pub/Sub itself hands over what it gives up: it publishes to the dead topic, and acknowledges in the subscription.
locals {
  pubsub_agent = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic_iam_member" "dead" {
  for_each = google_pubsub_topic.dead

  project = var.project_id
  topic   = each.value.name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead" {
  for_each = google_pubsub_subscription.push

  project      = var.project_id
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

# Projects from before April 2021 need it said that Pub/Sub may make tokens; in others it changes nothing.
resource "google_service_account_iam_member" "tokens" {
  service_account_id = google_service_account.account["push"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent

  depends_on = [google_pubsub_topic.stream] # the first topic of a project makes Pub/Sub's account
}

# Operators look at what was given up, acknowledge it, and send it again (`ct-klaviyo dead-letters`).
locals {
  operators_by_stream = {
    for pair in setproduct(keys(local.topics), var.operators) : "${pair[0]} ${pair[1]}" => { stream = pair[0], member = pair[1] }
  }
}

resource "google_pubsub_subscription_iam_member" "operators" {
  for_each = local.operators_by_stream

  project      = var.project_id
  subscription = google_pubsub_subscription.holding[each.value.stream].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.member
}

resource "google_pubsub_topic_iam_member" "operators" {
  for_each = local.operators_by_stream

  project = var.project_id
  topic   = google_pubsub_topic.stream[each.value.stream].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}

# Secrets: each function reads those that it is given, and no other.
resource "google_secret_manager_secret_iam_member" "function" {
  for_each = {
    for pair in flatten([for function, variables in local.function_secrets : [for variable in variables : { function = function, variable = variable }]]) :
    "${pair.variable} by ${pair.function}" => pair
  }

  project   = var.project_id
  secret_id = google_secret_manager_secret.secret[each.value.variable].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.account[each.value.function].member
}

# Building: write the log and the image, read the source. Google copies the source into buckets that it makes itself; which of
# them a build reads from is Google's affair, so all that its documentation names are allowed.
locals {
  source_objects = [
    "${local.source_bucket}/",
    "run-sources-",
    "gcf-v2-sources-",
    "gcf-v2-uploads-",
  ]
}

resource "google_project_iam_member" "build_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.account["build"].member
}

resource "google_artifact_registry_repository_iam_member" "build_images" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.account["build"].member
}

resource "google_project_iam_member" "build_source" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.account["build"].member

  condition {
    title       = "${var.name_prefix}-source"
    description = "Only what functions are built from."
    expression  = "resource.type == \"storage.googleapis.com/Object\" && (${join(" || ", [for name in local.source_objects : "resource.name.startsWith(\"projects/_/buckets/${name}\")"])})"
  }
}
