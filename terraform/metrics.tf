# Counts of log lines. The texts are those of the code, as docs/operations.md explains them; a test compares them.

locals {
  function_logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for name in values(local.function_names) : "\"${name}\""])})"

  lines = {
    # Set aside, for a person to look at.
    dead_letter = [
      "dead letter stored",
      "dead letter cannot be stored, this line is all there is",
      "dead letters over the bound were deleted",
      "message set aside",
    ]
    # A host refuses credentials, scopes or a query, or we refuse the queue: nothing goes on before somebody acts.
    person_needed = [
      "notification cannot be handled before a person acts",
      "run halted",
      "import lock lost to somebody else",
      "task refused: the caller is not the queue",
    ]
    unusable_settings = ["the settings cannot be used"]
    notification      = ["notification handled"]
    batch             = ["batch done"]
    asked_again       = ["klaviyo is asked again"]
  }

  filters = { for name, texts in local.lines : name => "${local.function_logs} AND jsonPayload.message=(${join(" OR ", [for text in texts : "\"${text}\""])})" }

  metrics = {
    dead_letters = {
      filter = local.filters.dead_letter
      counts = "What was set aside as a dead letter"
      labels = { reason = "EXTRACT(jsonPayload.reason)" }
    }
    person_needed = {
      filter = local.filters.person_needed
      counts = "Lines that say that nothing goes on before somebody acts"
      labels = {}
    }
    notifications = {
      filter = local.filters.notification
      counts = "Notifications of commercetools, by what became of them"
      labels = { outcome = "EXTRACT(jsonPayload.outcome)" }
    }
    batches = {
      filter = local.filters.batch
      counts = "Batches of imports that were done"
      labels = { kind = "EXTRACT(jsonPayload.kind)" }
    }
    rate_limited = {
      filter = "${local.filters.asked_again} AND jsonPayload.reason=\"rate_limited\""
      counts = "Answers 429 of Klaviyo"
      labels = { endpoint = "EXTRACT(jsonPayload.endpoint)" }
    }
  }

  metric_names = { for name in keys(local.metrics) : name => "${var.name_prefix}/${name}" }
}

resource "google_logging_metric" "lines" {
  for_each = local.metrics

  project          = var.project_id
  name             = local.metric_names[each.key]
  description      = each.value.counts
  filter           = each.value.filter
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = each.value.counts

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  depends_on = [google_project_service.api]
}
