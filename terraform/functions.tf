# The three functions. All are private and answer HTTP; their messages come from our own push subscriptions (pubsub.tf).

locals {
  # What an invocation has left after its own deadline, to write down what it knows and to answer.
  margin_s = 60

  # How many deliveries the worker has under way for each slot (most of them wait for Klaviyo), and room for dead messages.
  deliveries_per_slot = 4
  dead_deliveries     = 2

  functions = {
    realtime = {
      entry_point   = "realtime_event"
      min_instances = var.realtime.min_instances
      max_instances = var.realtime.max_instances
      concurrency   = var.realtime.concurrency
      cpu           = var.realtime.cpu
      memory        = var.realtime.memory
      timeout_s     = var.realtime.timeout_s
      ingress       = "ALLOW_INTERNAL_ONLY" # which a push of this project's Pub/Sub is
      environment   = { REALTIME_DEADLINE_S = tostring(var.realtime.deadline_s) }
    }
    dispatcher = {
      entry_point   = "bulk_dispatch"
      min_instances = 0
      max_instances = var.dispatcher.max_instances
      concurrency   = var.dispatcher.concurrency
      cpu           = var.dispatcher.cpu
      memory        = var.dispatcher.memory
      timeout_s     = var.dispatcher.timeout_s
      ingress       = var.dispatcher.ingress
      environment   = merge(local.import_environment, local.import_access.dispatcher)
    }
    worker = {
      entry_point   = "bulk_worker"
      min_instances = 0
      max_instances = var.worker.max_instances
      concurrency   = var.worker.slots * local.deliveries_per_slot + local.dead_deliveries
      cpu           = var.worker.cpu
      memory        = var.worker.memory
      timeout_s     = var.worker.timeout_s
      ingress       = "ALLOW_INTERNAL_ONLY"
      environment   = merge(local.import_environment, local.import_access.worker, { WORKER_SLOTS = tostring(var.worker.slots) })
    }
  }

  # Pub/Sub delivers again what is not answered by then, so a function has ended before; 600 s is the most it waits.
  ack_deadlines = { for key, function in local.functions : key => min(600, function.timeout_s + local.margin_s) }

  # What was not set is left out, so that the product's own defaults hold.
  environment = {
    for name, value in {
      CT_API_URL           = var.ct_api_url
      CT_AUTH_URL          = var.ct_auth_url
      CT_PROJECT_ID        = var.ct_project_id
      CT_SCOPES            = join(" ", var.ct_scopes)
      KLAVIYO_API_URL      = var.klaviyo_api_url
      PRODUCT_URL_TEMPLATE = var.product_url_template
      PREFERRED_LOCALE     = var.preferred_locale
      PREFERRED_CURRENCY   = var.preferred_currency
      SYNC_CONFIG          = length(keys(var.sync_config)) > 0 ? jsonencode(var.sync_config) : null
      LOG_LEVEL            = var.log_level

      # Many threads come and go. With glibc's arena for each of them their memory would never be used again.
      MALLOC_ARENA_MAX       = "2"
      MALLOC_MMAP_THRESHOLD_ = "1048576"
    } : name => value if value != null && value != ""
  }

  import_environment = {
    STATE_BACKEND        = "firestore"
    QUEUE_BACKEND        = "pubsub"
    GOOGLE_CLOUD_PROJECT = var.project_id
    GOOGLE_NAME_PREFIX   = var.name_prefix
    FIRESTORE_DATABASE   = local.firestore_database
  }

  # Whose messages the import's functions accept, and until when they work.
  import_access = {
    for key, timeout_s in { dispatcher = var.dispatcher.timeout_s, worker = var.worker.timeout_s } : key => {
      PUSH_SERVICE_ACCOUNT             = google_service_account.account["push"].email
      PUSH_AUDIENCE                    = local.function_urls[key]
      WORKER_DEADLINE_S                = tostring(timeout_s - local.margin_s)
    }
  }
}

resource "google_cloudfunctions2_function" "function" {
  for_each = local.functions

  project     = var.project_id
  location    = var.region
  name        = local.function_names[each.key]
  description = "commercetools to Klaviyo: ${each.value.entry_point}"
  labels      = var.labels

  build_config {
    runtime           = "python312"
    entry_point       = each.value.entry_point
    service_account   = google_service_account.account["build"].id
    docker_repository = google_artifact_registry_repository.images.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.account[each.key].email
    min_instance_count               = each.value.min_instances
    max_instance_count               = each.value.max_instances
    max_instance_request_concurrency = each.value.concurrency
    available_cpu                    = each.value.cpu
    available_memory                 = each.value.memory
    timeout_seconds                  = each.value.timeout_s
    ingress_settings                 = each.value.ingress
    all_traffic_on_latest_revision   = true

    environment_variables = merge(local.environment, each.value.environment, {
      # One process with a thread for each call. The framework's WORKERS would start processes, each with a rate limiter of its
      # own, and is never set.
      THREADS = tostring(each.value.concurrency)
      # Rounded down, so that all instances of this function together stay within Klaviyo's limits. Other functions are not
      # counted in: each may use the limits fully, and where two want the same at once, Klaviyo's 429s make them wait.
      KLAVIYO_RATE_SHARE = tostring(floor(10000 / each.value.max_instances) / 10000)
      # For Google, not for the product: instances read secrets when they start, and only a changed variable starts new ones.
      SECRETS_VERSION = tostring(var.secrets_version)
      # With it the framework would redirect the whole process's output for each call, which threads must not do to each other.
      LOG_EXECUTION_ID = "false"
    })

    dynamic "secret_environment_variables" {
      for_each = toset(local.function_secrets[each.key])
      content {
        key        = secret_environment_variables.value
        project_id = var.project_id
        secret     = google_secret_manager_secret.secret[secret_environment_variables.value].secret_id
        version    = "latest"
      }
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build_images,
    google_firestore_database.state,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_source,
    google_secret_manager_secret_iam_member.function,
    google_secret_manager_secret_version.value,
  ]
}
