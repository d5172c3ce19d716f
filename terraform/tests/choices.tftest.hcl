# What changes with what is chosen, and what cannot be chosen.

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

run "other_sizes_and_schedules" {
  command = plan

  variables {
    realtime   = { max_instances = 3, min_instances = 1, concurrency = 8 }
    dispatcher = { max_instances = 7, timeout_s = 120 }
    worker     = { max_instances = 6, slots = 2, timeout_s = 300 }

    klaviyo_api_url      = "https://klaviyo.example.com"
    product_url_template = "https://shop.example.com/p/{{sku}}"
    preferred_locale     = "en-GB"
    preferred_currency   = "EUR"
    ct_scopes            = ["view_orders:acme", "view_customers:acme"]
    sync_config          = { product = { unpublished = "hide" } }
    message_regions      = []
    secrets_version      = 7

    scheduler_region = "europe-west3"
    scheduled_imports = {
      weekly       = { kind = "all", schedule = "0 3 * * 0" }
      young-orders = { kind = "orders", schedule = "30 2 * * *", time_zone = "Europe/Berlin", created_after = "2026-01-01T00:00:00Z" }
    }
  }

  assert {
    condition     = alltrue([for topic in google_pubsub_topic.stream : length(topic.message_storage_policy) == 0])
    error_message = "With an empty list of regions messages may be kept anywhere."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      tonumber(function.service_config[0].environment_variables["KLAVIYO_RATE_SHARE"]) * function.service_config[0].max_instance_count <= 1 &&
      tonumber(function.service_config[0].environment_variables["KLAVIYO_RATE_SHARE"]) * function.service_config[0].max_instance_count > 0.99
    ])
    error_message = "Shares of a function add up to the whole, and never to more."
  }

  assert {
    condition = (
      google_cloudfunctions2_function.function["worker"].service_config[0].environment_variables["WORKER_DEADLINE_S"] == "240" &&
      google_cloudfunctions2_function.function["worker"].service_config[0].environment_variables["THREADS"] == "10" &&
      google_cloudfunctions2_function.function["realtime"].service_config[0].min_instance_count == 1
    )
    error_message = "Deadlines and threads follow from what was chosen."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function : alltrue([
        for name, value in {
          KLAVIYO_API_URL      = "https://klaviyo.example.com"
          PRODUCT_URL_TEMPLATE = "https://shop.example.com/p/{{sku}}"
          PREFERRED_LOCALE     = "en-GB"
          PREFERRED_CURRENCY   = "EUR"
          CT_SCOPES            = "view_orders:acme view_customers:acme"
          SYNC_CONFIG          = "{\"product\":{\"unpublished\":\"hide\"}}"
          SECRETS_VERSION      = "7"
        } : function.service_config[0].environment_variables[name] == value
      ])
    ])
    error_message = "What was set is handed to every function; another number of the secrets starts them anew."
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
    condition = { for name, job in google_cloud_scheduler_job.import : name => "${job.schedule} ${job.time_zone} in ${job.region}, ${job.http_target[0].http_method}" } == {
      weekly       = "0 3 * * 0 Etc/UTC in europe-west3, POST"
      young-orders = "30 2 * * * Europe/Berlin in europe-west3, POST"
    }
    error_message = "It does so at the times that were chosen, from the region that was chosen for schedules."
  }

  assert {
    condition = alltrue([
      for job in google_cloud_scheduler_job.import : job.retry_config[0].retry_count == 3 && job.attempt_deadline == "120s"
    ]) && contains(keys(google_project_service.api), "cloudscheduler.googleapis.com")
    error_message = "A host that does not answer just then is asked again; the API of schedules is switched on."
  }

  assert {
    condition = alltrue([
      for job in google_cloud_scheduler_job.import :
      job.http_target[0].oidc_token[0].service_account_email == google_service_account.account["scheduler"].email &&
      job.http_target[0].oidc_token[0].audience == "https://acme-sync-dispatch-123456789012.europe-west1.run.app"
    ])
    error_message = "It does so as an account of its own."
  }

  assert {
    condition = { for key, binding in google_cloud_run_v2_service_iam_binding.invokers : key => binding.members } == {
      realtime   = toset([google_service_account.account["push"].member])
      dispatcher = toset([google_service_account.account["push"].member, google_service_account.account["scheduler"].member])
      worker     = toset([google_service_account.account["push"].member])
    }
    error_message = "That account may call the import API, and nothing else."
  }
}

run "secrets_given_to_terraform_and_a_long_prefix" {
  command = plan

  variables {
    name_prefix            = "a234567890123456789012"
    ct_api_client          = "{\"clientId\": \"an-id\", \"secret\": \"one-canary\"}"
    klaviyo_auth_key       = "pk_another-canary"
    import_api_key_enabled = true
    import_api_key         = "a-third-canary-of-some-length"
  }

  assert {
    condition = alltrue([
      for version in google_secret_manager_secret_version.value :
      version.secret_data == null && version.secret_data_wo_version == 1 && version.deletion_policy == "ABANDON"
    ]) && length(google_secret_manager_secret_version.value) == 3
    error_message = "Values are written only; left out later, they stay."
  }

  assert {
    condition = alltrue(flatten([
      for function in google_cloudfunctions2_function.function :
      [for name, value in function.service_config[0].environment_variables : !strcontains(value, "canary")]
    ]))
    error_message = "No secret is in a plain variable."
  }

  assert {
    condition = [
      for key, function in google_cloudfunctions2_function.function :
      key if contains([for secret in function.service_config[0].secret_environment_variables : secret.key], "BULK_IMPORT_API_KEY")
    ] == ["dispatcher"]
    error_message = "Only the import API gets its key."
  }

  assert {
    condition = [
      for grant in google_secret_manager_secret_iam_member.function : grant.member if endswith(grant.secret_id, "-import-api-key")
    ] == [google_service_account.account["dispatcher"].member]
    error_message = "Only the import API may read it."
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

# Each by itself: a prefix too long for accounts, half an API client, everybody, a worker that Pub/Sub would not wait for, a
# deadline beyond the timeout, a dispatcher without a place for a stop, lines that are counted and not written, an archive that is not there, a kind that is not imported.
run "refused" {
  command = plan

  variables {
    name_prefix       = "a2345678901234567890123"
    ct_api_client     = "{\"clientId\": \"an-id\"}"
    operators         = ["allUsers"]
    worker            = { timeout_s = 600 }
    realtime          = { deadline_s = 55 }
    dispatcher        = { concurrency = 39 }
    log_level         = "ERROR"
    source_archive    = "no-such-file.zip"
    scheduled_imports = { weekly = { kind = "carts", schedule = "0 3 * * 0" } }
  }

  expect_failures = [
    var.name_prefix, var.ct_api_client, var.operators, var.worker, var.realtime, var.dispatcher, var.log_level, var.source_archive, var.scheduled_imports,
  ]
}

run "a_schedule_that_needs_a_key_is_refused" {
  command = plan

  variables {
    import_api_key_enabled = true
    scheduled_imports      = { weekly = { kind = "all", schedule = "0 3 * * 0" } }
  }

  expect_failures = [var.scheduled_imports]
}
