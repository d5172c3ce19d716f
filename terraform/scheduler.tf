# Imports at fixed times, if any are named.

resource "google_cloud_scheduler_job" "import" {
  for_each = var.scheduled_imports

  project     = var.project_id
  region      = coalesce(var.scheduler_region, var.region)
  name        = "${var.name_prefix}-import-${each.key}"
  description = "Imports ${each.value.kind} from commercetools into Klaviyo."
  schedule    = each.value.schedule
  time_zone   = each.value.time_zone

  # A start takes a lock and counts; the import itself is the worker's.
  attempt_deadline = "120s"

  # For a host that does not answer just then. A start is safe to repeat: while an import is under way, it is refused.
  retry_config {
    retry_count          = 3
    min_backoff_duration = "60s"
    max_backoff_duration = "600s"
  }

  http_target {
    http_method = "POST"
    uri         = "${local.function_urls.dispatcher}/sync/${each.value.kind}"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ for field, value in { createdAfter = each.value.created_after } : field => value if value != null }))

    oidc_token {
      service_account_email = google_service_account.account["scheduler"].email
      audience              = local.function_urls.dispatcher
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_binding.invokers]
}
