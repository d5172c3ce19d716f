# The database, the schedules, and what is watched.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project_id     = "acme-cloud"
  region         = "europe-west1"
  name_prefix    = "acme-sync"
  source_archive = "versions.tf" # any file; only its hash counts
  ct_api_url     = "https://api.example.com"
  ct_auth_url    = "https://auth.example.com"
  ct_project_id  = "acme"
}

run "defaults" {
  command = plan

  variables {
    notification_channels = ["projects/acme-cloud/notificationChannels/1"]
  }

  assert {
    condition = (
      google_firestore_database.state.name == "acme-sync-state" && google_firestore_database.state.location_id == "europe-west1" &&
      google_firestore_database.state.type == "FIRESTORE_NATIVE" && google_firestore_database.state.delete_protection_state == "DELETE_PROTECTION_ENABLED" &&
      google_firestore_database.state.deletion_policy == "ABANDON"
    )
    error_message = "The database is our own, and protected."
  }

  assert {
    condition = alltrue([
      for field in google_firestore_field.expiry : field.field == "expires_at" && length(field.ttl_config) == 1 && length(field.index_config[0].indexes) == 0
    ]) && toset([for field in google_firestore_field.expiry : field.collection]) == toset(["runs", "ranges", "batches"])
    error_message = "Records end by themselves, and nothing is indexed by when."
  }

  assert {
    condition = alltrue([
      for field in google_firestore_field.wide : length(field.ttl_config) == 0 && length(field.index_config[0].indexes) == 0
    ])
    error_message = "What is large is not indexed."
  }

  assert {
    condition     = length(google_cloud_scheduler_job.import) == 0 && !contains(keys(google_project_service.api), "cloudscheduler.googleapis.com")
    error_message = "Nothing is imported periodically unless somebody says so."
  }

  assert {
    condition = alltrue([
      for policy in concat(values(google_monitoring_alert_policy.line), values(google_monitoring_alert_policy.query), [google_monitoring_alert_policy.held_messages, google_monitoring_alert_policy.old_messages]) :
      policy.notification_channels == tolist(["projects/acme-cloud/notificationChannels/1"]) && length(policy.documentation[0].content) > 80
    ])
    error_message = "Every alert reaches somebody, and says what to do."
  }

  assert {
    condition = toset(concat(keys(google_monitoring_alert_policy.line), keys(google_monitoring_alert_policy.query))) == toset([
      "dead_letters", "person_needed", "unusable_settings", "run_stalled", "rate_limited",
    ])
    error_message = "Dead letters, refused credentials, settings, runs that do not get on, and 429s are watched."
  }

  assert {
    condition = (
      length(google_monitoring_alert_policy.held_messages.conditions) == 3 && length(google_monitoring_alert_policy.old_messages.conditions) == 3 &&
      alltrue([for condition in google_monitoring_alert_policy.held_messages.conditions : condition.condition_threshold[0].threshold_value == 0])
    )
    error_message = "So is each subscription: one message that was given up is one too many."
  }

  assert {
    condition     = google_monitoring_alert_policy.query["run_stalled"].conditions[0].condition_prometheus_query_language[0].query == "(sum(pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=~\"acme-sync-plan-push|acme-sync-work-push\"}) > 0) unless (sum(increase(logging_googleapis_com:user_acme_sync_batches{monitored_resource=\"cloud_run_revision\"}[30m])) > 0)"
    error_message = "A run is stalled when messages wait and no batch is done."
  }

  assert {
    condition     = google_logging_metric.lines["batches"].filter == "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"acme-sync-dispatch\" OR \"acme-sync-realtime\" OR \"acme-sync-worker\") AND jsonPayload.message=(\"batch done\")"
    error_message = "Lines of our functions are counted, and no others."
  }

  assert {
    condition = alltrue([
      for metric in google_logging_metric.lines :
      join(" ", keys(metric.label_extractors)) == join(" ", sort([for label in metric.metric_descriptor[0].labels : label.key]))
    ])
    error_message = "What is extracted from a line is declared."
  }

  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.overview.dashboard_json).mosaicLayout.tiles) == 13
    error_message = "The dashboard shows it all."
  }
}

run "schedules" {
  command = plan

  variables {
    scheduled_imports = {
      weekly       = { kind = "all", schedule = "0 3 * * 0" }
      young-orders = { kind = "orders", schedule = "30 2 * * *", time_zone = "Europe/Berlin", created_after = "2026-01-01T00:00:00Z" }
    }
  }

  assert {
    condition = (
      google_cloud_scheduler_job.import["weekly"].http_target[0].uri == "https://acme-sync-dispatch-123456789012.europe-west1.run.app/sync/all" &&
      base64decode(google_cloud_scheduler_job.import["weekly"].http_target[0].body) == "{}" &&
      base64decode(google_cloud_scheduler_job.import["young-orders"].http_target[0].body) == "{\"createdAfter\":\"2026-01-01T00:00:00Z\"}"
    )
    error_message = "A schedule starts an import as anybody would."
  }

  assert {
    condition = alltrue([
      for job in google_cloud_scheduler_job.import :
      job.http_target[0].oidc_token[0].service_account_email == google_service_account.account["scheduler"].email &&
      job.http_target[0].oidc_token[0].audience == "https://acme-sync-dispatch-123456789012.europe-west1.run.app"
    ]) && contains(google_cloud_run_v2_service_iam_binding.invokers["dispatcher"].members, google_service_account.account["scheduler"].member)
    error_message = "It does so as an account that may call the import API."
  }

  assert {
    condition     = !contains(google_cloud_run_v2_service_iam_binding.invokers["worker"].members, google_service_account.account["scheduler"].member)
    error_message = "And nothing else."
  }
}

run "a_schedule_that_needs_a_key_is_refused" {
  command = plan

  variables {
    import_api_key_enabled = true
    scheduled_imports      = { weekly = { kind = "all", schedule = "0 3 * * 0" } }
  }

  expect_failures = [var.scheduled_imports]
}

run "a_kind_that_is_not_imported_is_refused" {
  command = plan

  variables {
    scheduled_imports = { weekly = { kind = "carts", schedule = "0 3 * * 0" } }
  }

  expect_failures = [var.scheduled_imports]
}

