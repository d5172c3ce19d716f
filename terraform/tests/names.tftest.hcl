# What everything is called, with the names that the code looks for (a Python test compares them with shared/google/names.py).

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

run "names" {
  command = plan

  assert {
    condition     = { for stream, topic in google_pubsub_topic.stream : stream => topic.name } == { events = "acme-sync-events", plan = "acme-sync-plan", work = "acme-sync-work" }
    error_message = "topics"
  }

  assert {
    condition     = { for stream, subscription in google_pubsub_subscription.push : stream => subscription.name } == { events = "acme-sync-events-push", plan = "acme-sync-plan-push", work = "acme-sync-work-push" }
    error_message = "push subscriptions"
  }

  assert {
    condition     = { for stream, topic in google_pubsub_topic.dead : stream => topic.name } == { events = "acme-sync-events-dead", plan = "acme-sync-plan-dead", work = "acme-sync-work-dead" }
    error_message = "dead topics"
  }

  assert {
    condition     = { for stream, subscription in google_pubsub_subscription.holding : stream => subscription.name } == { events = "acme-sync-events-dead-hold", plan = "acme-sync-plan-dead-hold", work = "acme-sync-work-dead-hold" }
    error_message = "holding subscriptions"
  }

  assert {
    condition     = google_pubsub_subscription.dead_push.name == "acme-sync-work-dead-push"
    error_message = "dead push subscription"
  }

  assert {
    condition     = output.events_topic == "acme-sync-events" && output.project_id == "acme-cloud" && output.import_api_url == "https://acme-sync-dispatch-123456789012.europe-west1.run.app"
    error_message = "outputs"
  }
}

run "a_long_prefix" {
  command = plan

  variables {
    name_prefix = "a234567890123456789012"
  }

  assert {
    condition     = alltrue([for account in google_service_account.account : length(account.account_id) <= 30])
    error_message = "Ids of accounts have 30 characters at most."
  }

  assert {
    condition     = alltrue([for url in values(output.function_urls) : length(split(".", trimprefix(url, "https://"))[0]) <= 63])
    error_message = "The first part of an address has 63 characters at most."
  }

  assert {
    condition     = length(google_storage_bucket.source.name) <= 63 && length(google_firestore_database.state.name) <= 63
    error_message = "Names of buckets and databases have 63 characters at most."
  }
}

run "a_prefix_that_is_too_long_is_refused" {
  command = plan

  variables {
    name_prefix = "a2345678901234567890123"
  }

  expect_failures = [var.name_prefix]
}
