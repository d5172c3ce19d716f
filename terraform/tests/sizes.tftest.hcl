# What has to fit together: deadlines, concurrency, shares of the rate limits, and what the functions are told.

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

  assert {
    condition = alltrue([
      for stream, function in { events = "realtime", plan = "dispatcher", work = "worker" } :
      google_pubsub_subscription.push[stream].ack_deadline_seconds >= google_cloudfunctions2_function.function[function].service_config[0].timeout_seconds &&
      google_pubsub_subscription.push[stream].ack_deadline_seconds <= 600
    ])
    error_message = "A function has ended before Pub/Sub delivers again, and Pub/Sub takes 600 s at most."
  }

  assert {
    condition = alltrue([
      for function in ["dispatcher", "worker"] :
      google_cloudfunctions2_function.function[function].service_config[0].timeout_seconds - tonumber(google_cloudfunctions2_function.function[function].service_config[0].environment_variables["WORKER_DEADLINE_S"]) >= 60
    ])
    error_message = "An invocation stops a minute before it is ended."
  }

  assert {
    condition = (
      google_cloudfunctions2_function.function["worker"].service_config[0].environment_variables["WORKER_DEADLINE_S"] == "480" &&
      google_pubsub_subscription.push["work"].ack_deadline_seconds == 600 &&
      google_pubsub_subscription.dead_push.ack_deadline_seconds == 600
    )
    error_message = "The worker has 480 s of 540, and is answered for within 600."
  }

  assert {
    condition     = google_cloudfunctions2_function.function["realtime"].service_config[0].timeout_seconds >= tonumber(google_cloudfunctions2_function.function["realtime"].service_config[0].environment_variables["REALTIME_DEADLINE_S"]) + 10
    error_message = "A notification is put back long before its invocation is ended."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      function.service_config[0].environment_variables["THREADS"] == tostring(function.service_config[0].max_instance_request_concurrency) &&
      tonumber(function.service_config[0].available_cpu) >= 1
    ])
    error_message = "There is a thread for each call at once, and the processor that Cloud Run wants for that."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      !contains(keys(function.service_config[0].environment_variables), "WORKERS")
    ])
    error_message = "WORKERS is the framework's number of processes, each with a rate limiter of its own: never set."
  }

  assert {
    condition     = google_cloudfunctions2_function.function["worker"].service_config[0].environment_variables["WORKER_SLOTS"] == "4" && google_cloudfunctions2_function.function["worker"].service_config[0].max_instance_request_concurrency == 18
    error_message = "The worker has four deliveries under way for each slot, and room for dead messages."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      tonumber(function.service_config[0].environment_variables["KLAVIYO_RATE_SHARE"]) * function.service_config[0].max_instance_count <= 1
    ])
    error_message = "All instances of a function together stay within Klaviyo's limits."
  }

  assert {
    condition     = google_cloudfunctions2_function.function["worker"].service_config[0].environment_variables["KLAVIYO_RATE_SHARE"] == "1"
    error_message = "The only worker may use the limits fully."
  }

  assert {
    condition = { for key, function in google_cloudfunctions2_function.function : key => function.build_config[0].entry_point } == {
      realtime = "realtime_event", dispatcher = "bulk_dispatch", worker = "bulk_worker",
    }
    error_message = "Each function has its entry point of main.py."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      function.build_config[0].runtime == "python312" && function.service_config[0].all_traffic_on_latest_revision &&
      function.build_config[0].source[0].storage_source[0].object == "source-${filesha256("versions.tf")}.zip"
    ])
    error_message = "All are built from the one archive, which is named by its content."
  }

  assert {
    condition     = toset(keys(google_cloudfunctions2_function.function["realtime"].service_config[0].environment_variables)) == toset(["CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "KLAVIYO_RATE_SHARE", "LOG_LEVEL", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "REALTIME_DEADLINE_S", "THREADS"])
    error_message = "What was not set is not handed down, and realtime is told of no state and no queue."
  }

  assert {
    condition = alltrue([
      for function in ["dispatcher", "worker"] : alltrue([
        for name, value in {
          STATE_BACKEND        = "firestore"
          QUEUE_BACKEND        = "pubsub"
          GOOGLE_CLOUD_PROJECT = "acme-cloud"
          GOOGLE_NAME_PREFIX   = "acme-sync"
          FIRESTORE_DATABASE   = "acme-sync-state"
        } : google_cloudfunctions2_function.function[function].service_config[0].environment_variables[name] == value
      ])
    ])
    error_message = "The import's functions keep their state in Firestore and their messages in Pub/Sub."
  }
}

run "other_sizes" {
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
    error_message = "Shares add up to the whole, and never to more."
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
        } : function.service_config[0].environment_variables[name] == value
      ])
    ])
    error_message = "What was set is handed to every function."
  }
}

run "a_worker_that_pubsub_would_not_wait_for_is_refused" {
  command = plan

  variables {
    worker = { timeout_s = 600 }
  }

  expect_failures = [var.worker]
}

run "a_deadline_beyond_the_timeout_is_refused" {
  command = plan

  variables {
    realtime = { deadline_s = 55 }
  }

  expect_failures = [var.realtime]
}

run "lines_that_are_counted_are_written" {
  command = plan

  variables {
    log_level = "ERROR"
  }

  expect_failures = [var.log_level]
}

run "an_archive_that_is_not_there_is_refused" {
  command = plan

  variables {
    source_archive = "no-such-file.zip"
  }

  expect_failures = [var.source_archive]
}
