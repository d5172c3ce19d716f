# Three streams. Each has a topic, a subscription that pushes to a function, a topic for what could not be handled, and a
# subscription that holds that until somebody looks. A notification survives an outage of hours: 100 attempts, the pauses
# between them growing to ten minutes, are most of a day, and what has been given up then is held for a week.

locals {
  week = "604800s"

  streams = {
    events = {
      function     = "realtime"
      endpoint     = "${local.function_urls.realtime}/"
      longest_wait = "600s"
    }
    # A lease that has run out, and a place that has become free, are to be found soon.
    plan = {
      function     = "dispatcher"
      endpoint     = "${local.function_urls.dispatcher}/tasks/plan"
      longest_wait = "60s"
    }
    work = {
      function     = "worker"
      endpoint     = "${local.function_urls.worker}/"
      longest_wait = "60s"
    }
  }

  dead_paths = { plan = "/tasks/plan", work = "/dead" }

  message_regions = var.message_regions == null ? [var.region] : var.message_regions
}

resource "google_pubsub_topic" "stream" {
  for_each = local.topics

  project = var.project_id
  name    = each.value
  labels  = var.labels

  dynamic "message_storage_policy" {
    for_each = length(local.message_regions) > 0 ? [local.message_regions] : []
    content {
      allowed_persistence_regions = message_storage_policy.value
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic" "dead" {
  for_each = local.dead_topics

  project = var.project_id
  name    = each.value
  labels  = var.labels

  dynamic "message_storage_policy" {
    for_each = length(local.message_regions) > 0 ? [local.message_regions] : []
    content {
      allowed_persistence_regions = message_storage_policy.value
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_pubsub_subscription" "push" {
  for_each = local.streams

  project                    = var.project_id
  name                       = local.push_subscriptions[each.key]
  topic                      = google_pubsub_topic.stream[each.key].id
  labels                     = var.labels
  ack_deadline_seconds       = local.ack_deadlines[each.value.function]
  message_retention_duration = local.week

  push_config {
    push_endpoint = each.value.endpoint

    oidc_token {
      service_account_email = google_service_account.account["push"].email
      audience              = local.function_urls[each.value.function]
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = each.value.longest_wait
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.key].id
    max_delivery_attempts = 100
  }

  expiration_policy {
    ttl = "" # never
  }

  # What cannot be called yet would be attempted in vain, and what cannot be handed over yet would be attempted for ever.
  depends_on = [
    google_cloud_run_v2_service_iam_binding.invokers,
    google_pubsub_subscription.holding,
    google_pubsub_topic_iam_member.dead,
  ]
}

resource "google_pubsub_subscription" "holding" {
  for_each = local.holding

  project                    = var.project_id
  name                       = each.value
  topic                      = google_pubsub_topic.dead[each.key].id
  labels                     = var.labels
  ack_deadline_seconds       = 60
  message_retention_duration = local.week

  expiration_policy {
    ttl = ""
  }
}

# An import goes on though a message of it was given up: a host may be away for longer than 100 deliveries take. The worker is told
# of a batch, and counts it as failed or has it worked once more; the dispatcher gets a plan as if it were new. Nothing comes behind
# this, so nobody counts these deliveries, and they go on for the week; the holding subscriptions have copies.
resource "google_pubsub_subscription" "dead_push" {
  for_each = local.dead_push

  project                    = var.project_id
  name                       = each.value
  topic                      = google_pubsub_topic.dead[each.key].id
  labels                     = var.labels
  ack_deadline_seconds       = local.ack_deadlines[local.streams[each.key].function]
  message_retention_duration = local.week

  push_config {
    push_endpoint = "${local.function_urls[local.streams[each.key].function]}${local.dead_paths[each.key]}"

    oidc_token {
      service_account_email = google_service_account.account["push"].email
      audience              = local.function_urls[local.streams[each.key].function]
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_binding.invokers]
}
