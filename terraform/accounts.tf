# One service account for each part, so that each may do only what it has to. An id has 30 characters at most.

locals {
  accounts = {
    realtime   = { id = "${var.name_prefix}-events", does = "runs ${local.function_names.realtime}" }
    dispatcher = { id = "${var.name_prefix}-plan", does = "runs ${local.function_names.dispatcher}" }
    worker     = { id = "${var.name_prefix}-work", does = "runs ${local.function_names.worker}" }
    push       = { id = "${var.name_prefix}-push", does = "is who Pub/Sub calls the functions as" }
    scheduler  = { id = "${var.name_prefix}-cron", does = "is who Cloud Scheduler starts imports as" }
    build      = { id = "${var.name_prefix}-build", does = "builds the functions" }
  }
}

resource "google_service_account" "account" {
  for_each = local.accounts

  project      = var.project_id
  account_id   = each.value.id
  display_name = each.value.id
  description  = "commercetools to Klaviyo: ${each.value.does}."

  depends_on = [google_project_service.api]
}
