# Nobody but who is named may call a function or read a secret, and each part has an account of its own.

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

run "private" {
  command = plan

  variables {
    operators = ["user:ops@example.com", "group:team@example.com"]
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_binding.invokers["realtime"].members == toset([google_service_account.account["push"].member])
    error_message = "Only Pub/Sub may call realtime."
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_binding.invokers["worker"].members == toset([google_service_account.account["push"].member])
    error_message = "Only Pub/Sub may call the worker."
  }

  assert {
    condition = google_cloud_run_v2_service_iam_binding.invokers["dispatcher"].members == toset([
      google_service_account.account["push"].member, "user:ops@example.com", "group:team@example.com",
    ])
    error_message = "Only Pub/Sub and the operators may call the import API; without schedules not even Cloud Scheduler."
  }

  assert {
    condition = alltrue([
      for stream in ["events", "plan", "work"] : alltrue([
        for operator in ["user:ops@example.com", "group:team@example.com"] :
        google_pubsub_subscription_iam_member.operators["${stream} ${operator}"].subscription == "acme-sync-${stream}-dead-hold" &&
        google_pubsub_subscription_iam_member.operators["${stream} ${operator}"].role == "roles/pubsub.subscriber" &&
        google_pubsub_topic_iam_member.operators["${stream} ${operator}"].topic == "acme-sync-${stream}" &&
        google_pubsub_topic_iam_member.operators["${stream} ${operator}"].role == "roles/pubsub.publisher"
      ])
    ]) && length(google_pubsub_subscription_iam_member.operators) == 6
    error_message = "Operators may read what was given up, and send it again."
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_binding.invokers)) == toset(keys(google_cloudfunctions2_function.function))
    error_message = "It is said of every function who may call it."
  }

  assert {
    condition     = alltrue([for binding in google_cloud_run_v2_service_iam_binding.invokers : binding.role == "roles/run.invoker"])
    error_message = "Whoever may call a function may do no more with it."
  }

  assert {
    condition = length(setintersection(["allUsers", "allAuthenticatedUsers"], flatten([
      [for binding in google_cloud_run_v2_service_iam_binding.invokers : tolist(binding.members)],
      [for member in google_pubsub_topic_iam_member.import : member.member],
      [for member in google_pubsub_topic_iam_member.dead : member.member],
      [for member in google_secret_manager_secret_iam_member.function : member.member],
      [for member in google_pubsub_subscription_iam_member.operators : member.member],
      [for member in google_pubsub_topic_iam_member.operators : member.member],
      google_pubsub_topic_iam_member.commercetools.member,
    ]))) == 0
    error_message = "Nothing is open to everybody."
  }

  assert {
    condition     = google_cloudfunctions2_function.function["realtime"].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" && google_cloudfunctions2_function.function["worker"].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "What only Pub/Sub calls is not reachable from outside."
  }

  assert {
    condition = length(distinct([for account in google_service_account.account : account.account_id])) == 6 && alltrue([
      for account in google_service_account.account : length(account.account_id) <= 30
    ])
    error_message = "One account for each function, one to push, one for schedules, one to build."
  }

  assert {
    condition = alltrue([
      for key, function in google_cloudfunctions2_function.function :
      function.service_config[0].service_account_email == google_service_account.account[key].email
    ])
    error_message = "Each function runs as its own account."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      function.build_config[0].service_account == google_service_account.account["build"].id
    ])
    error_message = "Functions are built by the account that is there for it."
  }

  assert {
    condition     = toset(keys(google_project_iam_member.database)) == toset(["dispatcher", "worker"])
    error_message = "Realtime has no access to the database."
  }

  assert {
    condition = alltrue([
      for member in google_project_iam_member.database :
      member.role == "roles/datastore.user" && member.condition[0].expression == "resource.name == \"projects/acme-cloud/databases/acme-sync-state\""
    ])
    error_message = "The import's functions have access to their own database only."
  }

  assert {
    condition = toset([for member in google_pubsub_topic_iam_member.import : "${member.topic} ${member.role}"]) == toset([
      "acme-sync-plan roles/pubsub.publisher", "acme-sync-work roles/pubsub.publisher",
    ]) && length(google_pubsub_topic_iam_member.import) == 4
    error_message = "The dispatcher and the worker publish to plan and work, and to nothing else."
  }

  assert {
    condition = (
      google_pubsub_topic_iam_member.commercetools.topic == "acme-sync-events" &&
      google_pubsub_topic_iam_member.commercetools.role == "roles/pubsub.publisher" &&
      google_pubsub_topic_iam_member.commercetools.member == "serviceAccount:subscriptions@commercetools-platform.iam.gserviceaccount.com"
    )
    error_message = "commercetools may publish notifications."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      length(function.event_trigger) == 0
    ])
    error_message = "Messages come by our own push subscriptions only."
  }
}

run "everybody_is_refused" {
  command = plan

  variables {
    operators = ["allUsers"]
  }

  expect_failures = [var.operators]
}
