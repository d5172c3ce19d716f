# What is made when nothing but what must be chosen is chosen. One plan for all of it: a plan takes most of the time that these take.

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

  operators             = ["user:ops@shop.example", "group:team@shop.example"]
  notification_channels = ["projects/acme-cloud/notificationChannels/1"]
}

run "defaults" {
  command = plan

  # Names, as the code looks for them: a Python test compares these with shared/google/names.py.

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
    condition     = { for stream, subscription in google_pubsub_subscription.dead_push : stream => subscription.name } == { plan = "acme-sync-plan-dead-push", work = "acme-sync-work-dead-push" }
    error_message = "dead push subscriptions"
  }

  assert {
    condition     = output.events_topic == "acme-sync-events" && output.project_id == "acme-cloud" && output.import_api_url == "https://acme-sync-dispatch-123456789012.europe-west1.run.app"
    error_message = "outputs"
  }

  # Where it is. The functions' addresses name the region, so what is elsewhere would be called in vain.

  assert {
    condition = toset(concat(
      [for function in google_cloudfunctions2_function.function : function.location],
      [for binding in google_cloud_run_v2_service_iam_binding.invokers : binding.location],
      [google_artifact_registry_repository.images.location, google_artifact_registry_repository_iam_member.build_images.location],
      [google_storage_bucket.source.location],
    )) == toset(["europe-west1"])
    error_message = "Functions, who may call them, their source and their images are in the region."
  }

  assert {
    condition     = alltrue([for service in google_project_service.api : !service.disable_on_destroy])
    error_message = "An API stays switched on at the end, since others may use it."
  }

  # Access. tests/grants.json is the whole list, which a Python test compares with what deploy/gcloud.sh grants.

  assert {
    condition = toset(flatten([
      for on, roles in jsondecode(file("tests/grants.json")) : [for role, members in roles : [for member in members : "${on} ${role} ${member}"]]
      ])) == toset(flatten([
      [for grant in google_cloud_run_v2_service_iam_binding.invokers : [for member in grant.members : "functions/${grant.name} ${grant.role} ${member}"]],
      [
        for grant in concat(values(google_pubsub_topic_iam_member.import), values(google_pubsub_topic_iam_member.dead), values(google_pubsub_topic_iam_member.operators), [google_pubsub_topic_iam_member.commercetools]) :
        "topics/${grant.topic} ${grant.role} ${grant.member}"
      ],
      [
        for grant in concat(values(google_pubsub_subscription_iam_member.dead), values(google_pubsub_subscription_iam_member.operators)) :
        "subscriptions/${grant.subscription} ${grant.role} ${grant.member}"
      ],
      [for grant in google_secret_manager_secret_iam_member.function : "secrets/${grant.secret_id} ${grant.role} ${grant.member}"],
      [for grant in [google_service_account_iam_member.tokens] : "service-accounts/${basename(grant.service_account_id)} ${grant.role} ${grant.member}"],
      [for grant in [google_artifact_registry_repository_iam_member.build_images] : "repositories/${grant.repository} ${grant.role} ${grant.member}"],
      [
        for grant in concat(values(google_project_iam_member.database), [google_project_iam_member.build_logs, google_project_iam_member.build_source]) :
        "projects/${grant.project} ${grant.role}${length(grant.condition) > 0 ? " if ${grant.condition[0].expression}" : ""} ${grant.member}"
      ],
    ]))
    error_message = "Who may do what is not what tests/grants.json says."
  }

  assert {
    condition     = toset(keys(google_cloud_run_v2_service_iam_binding.invokers)) == toset(keys(google_cloudfunctions2_function.function))
    error_message = "It is said of every function who may call it."
  }

  assert {
    condition = { for key, function in google_cloudfunctions2_function.function : key => function.service_config[0].ingress_settings } == {
      realtime = "ALLOW_INTERNAL_ONLY", dispatcher = "ALLOW_ALL", worker = "ALLOW_INTERNAL_ONLY",
    }
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
      function.service_config[0].service_account_email == google_service_account.account[key].email &&
      function.build_config[0].service_account == google_service_account.account["build"].id
    ])
    error_message = "Each function runs as its own account, and is built by the one that is there for it."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      length(function.event_trigger) == 0
    ])
    error_message = "Messages come by our own push subscriptions only."
  }

  assert {
    condition     = google_storage_bucket.source.public_access_prevention == "enforced" && google_storage_bucket.source.uniform_bucket_level_access
    error_message = "The archive can never be made public."
  }

  # Every message is delivered again until it is handled, and kept when it never is.

  assert {
    condition = alltrue([
      for subscription in google_pubsub_subscription.push :
      subscription.retry_policy[0].minimum_backoff == "10s" && subscription.dead_letter_policy[0].max_delivery_attempts == 100
    ]) && length(google_pubsub_subscription.push) == 3
    error_message = "Each stream is delivered again, with pauses, and has somewhere to go after 100 attempts."
  }

  assert {
    condition = { for stream, subscription in google_pubsub_subscription.push : stream => subscription.retry_policy[0].maximum_backoff } == {
      events = "600s", plan = "60s", work = "60s",
    }
    error_message = "Notifications wait up to ten minutes between attempts, so that 100 of them outlast an outage of hours; a lease that ran out is found within a minute."
  }

  assert {
    condition = alltrue([
      for stream, subscription in google_pubsub_subscription.push :
      subscription.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead[stream].id &&
      google_pubsub_subscription.holding[stream].topic == google_pubsub_topic.dead[stream].id &&
      length(google_pubsub_subscription.holding[stream].push_config) == 0
    ])
    error_message = "What is given up of a stream goes to its dead topic, and waits in a subscription that somebody pulls."
  }

  assert {
    condition = alltrue([
      for subscription in concat(values(google_pubsub_subscription.push), values(google_pubsub_subscription.holding), values(google_pubsub_subscription.dead_push)) :
      subscription.message_retention_duration == "604800s" && subscription.expiration_policy[0].ttl == ""
    ])
    error_message = "Messages are kept for seven days, and no subscription expires."
  }

  assert {
    condition = alltrue([
      for stream, subscription in google_pubsub_subscription.dead_push :
      subscription.topic == google_pubsub_topic.dead[stream].id &&
      subscription.retry_policy[0].minimum_backoff == "10s" && subscription.retry_policy[0].maximum_backoff == "600s" &&
      length(subscription.dead_letter_policy) == 0
    ])
    error_message = "Worker and dispatcher are told of what was given up of their streams, again and again until they have taken note."
  }

  assert {
    condition = {
      for name, subscription in merge(google_pubsub_subscription.push, { for stream, subscription in google_pubsub_subscription.dead_push : "dead_${stream}" => subscription }) :
      name => subscription.push_config[0].push_endpoint
      } == {
      events    = "https://acme-sync-realtime-123456789012.europe-west1.run.app/"
      plan      = "https://acme-sync-dispatch-123456789012.europe-west1.run.app/tasks/plan"
      work      = "https://acme-sync-worker-123456789012.europe-west1.run.app/"
      dead_plan = "https://acme-sync-dispatch-123456789012.europe-west1.run.app/tasks/plan"
      dead_work = "https://acme-sync-worker-123456789012.europe-west1.run.app/dead"
    }
    error_message = "Each stream goes where its function listens."
  }

  assert {
    condition = alltrue([
      for subscription in concat(values(google_pubsub_subscription.push), values(google_pubsub_subscription.dead_push)) :
      subscription.push_config[0].oidc_token[0].service_account_email == google_service_account.account["push"].email &&
      startswith(subscription.push_config[0].push_endpoint, "${subscription.push_config[0].oidc_token[0].audience}/")
    ])
    error_message = "Each push carries a token of the push account, made for the address that it goes to."
  }

  assert {
    condition = alltrue([
      for stream, function in { plan = "dispatcher", work = "worker" } :
      google_cloudfunctions2_function.function[function].service_config[0].environment_variables["PUSH_AUDIENCE"] == google_pubsub_subscription.push[stream].push_config[0].oidc_token[0].audience &&
      google_cloudfunctions2_function.function[function].service_config[0].environment_variables["PUSH_SERVICE_ACCOUNT"] == google_service_account.account["push"].email
    ])
    error_message = "The import's functions expect the account and the audience of those tokens."
  }

  assert {
    condition = alltrue([
      for topic in concat(values(google_pubsub_topic.stream), values(google_pubsub_topic.dead)) :
      topic.message_storage_policy[0].allowed_persistence_regions == toset(["europe-west1"])
    ])
    error_message = "Messages stay in the region, unless others are named."
  }

  # What has to fit together: deadlines, concurrency, shares of the rate limits, and what the functions are told.

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
      google_pubsub_subscription.dead_push["work"].ack_deadline_seconds == 600 &&
      google_pubsub_subscription.dead_push["plan"].ack_deadline_seconds == google_pubsub_subscription.push["plan"].ack_deadline_seconds
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
    condition     = google_cloudfunctions2_function.function["worker"].service_config[0].environment_variables["WORKER_SLOTS"] == "4" && google_cloudfunctions2_function.function["worker"].service_config[0].max_instance_request_concurrency == 18
    error_message = "The worker has four deliveries under way for each slot, and room for dead messages."
  }

  assert {
    condition = { for key, function in google_cloudfunctions2_function.function : key => function.service_config[0].environment_variables["KLAVIYO_RATE_SHARE"] } == {
      realtime = "0.5", dispatcher = "0.5", worker = "1",
    }
    error_message = "All instances of a function together stay within Klaviyo's limits, and use them fully."
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

  # WORKERS, the framework's number of processes, each with a rate limiter of its own, is never among them.
  assert {
    condition = toset(keys(google_cloudfunctions2_function.function["realtime"].service_config[0].environment_variables)) == toset([
      "CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "KLAVIYO_RATE_SHARE", "LOG_EXECUTION_ID", "LOG_LEVEL", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "REALTIME_DEADLINE_S", "SECRETS_VERSION", "THREADS",
    ])
    error_message = "What was not set is not handed down, and realtime is told of no state and no queue."
  }

  assert {
    condition = toset(keys(google_cloudfunctions2_function.function["worker"].service_config[0].environment_variables)) == toset([
      "CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "FIRESTORE_DATABASE", "GOOGLE_CLOUD_PROJECT", "GOOGLE_NAME_PREFIX", "KLAVIYO_RATE_SHARE", "LOG_EXECUTION_ID", "LOG_LEVEL", "MALLOC_ARENA_MAX",
      "MALLOC_MMAP_THRESHOLD_", "PUSH_AUDIENCE", "PUSH_SERVICE_ACCOUNT", "QUEUE_BACKEND", "SECRETS_VERSION", "STATE_BACKEND", "THREADS", "WORKER_DEADLINE_S", "WORKER_SLOTS",
    ])
    error_message = "The worker is told what it works with, and not of the framework's WORKERS."
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

  # Secrets, whose values are added by hand.

  assert {
    condition     = toset([for secret in google_secret_manager_secret.secret : secret.secret_id]) == toset(["acme-sync-ct-api-client", "acme-sync-klaviyo-auth-key"])
    error_message = "There is a secret for each credential."
  }

  assert {
    condition = alltrue([
      for secret in google_secret_manager_secret.secret :
      length(secret.replication[0].auto) == 0 && [for replica in secret.replication[0].user_managed[0].replicas : replica.location] == ["europe-west1"]
    ])
    error_message = "Secrets are kept in the region."
  }

  assert {
    condition     = length(google_secret_manager_secret_version.value) == 0
    error_message = "Without values their versions are left alone."
  }

  assert {
    condition = {
      for key, function in google_cloudfunctions2_function.function :
      key => { for secret in function.service_config[0].secret_environment_variables : secret.key => "${secret.secret} ${secret.version}" }
      } == {
      for key in ["realtime", "dispatcher", "worker"] :
      key => { CT_API_CLIENT = "acme-sync-ct-api-client latest", KLAVIYO_AUTH_KEY = "acme-sync-klaviyo-auth-key latest" }
    }
    error_message = "Functions get both as environment, in their latest version."
  }

  # The database.

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
    condition = { for key, field in google_firestore_field.wide : key => "${field.collection}/${field.field}" } == {
      for path in [
        "runs/record", "ranges/record", "batches/carried", "batches/examples", "batches/failed_items", "batches/ids", "batches/lists", "batches/reasons",
      ] : path => path
    }
    error_message = "These fields are large."
  }

  assert {
    condition = alltrue([
      for field in concat(values(google_firestore_field.expiry), values(google_firestore_field.wide)) :
      field.database == google_firestore_database.state.name && field.project == "acme-cloud"
    ])
    error_message = "Fields are changed in our own database, and in no other."
  }

  assert {
    condition     = alltrue([for field in concat(values(google_firestore_field.expiry), values(google_firestore_field.wide)) : field.timeouts.create == "60m"])
    error_message = "Firestore changes one field after the other, which is waited for."
  }

  assert {
    condition     = length(google_cloud_scheduler_job.import) == 0 && !contains(keys(google_project_service.api), "cloudscheduler.googleapis.com")
    error_message = "Nothing is imported periodically unless somebody says so."
  }

  # What is watched.

  assert {
    condition = {
      for name, policy in merge(google_monitoring_alert_policy.line, google_monitoring_alert_policy.query, { held = google_monitoring_alert_policy.held_messages, old = google_monitoring_alert_policy.old_messages }) :
      name => "${length(policy.conditions)} ${join(" ", policy.notification_channels)}" if length(policy.documentation[0].content) > 80
      } == {
      for name, conditions in { dead_letters = 1, person_needed = 1, unusable_settings = 1, run_stalled = 1, rate_limited = 1, held = 3, old = 5 } :
      name => "${conditions} projects/acme-cloud/notificationChannels/1"
    }
    error_message = "Dead letters, refused credentials, settings, runs that do not get on, 429s and each subscription are watched; every alert reaches somebody, and says what to do."
  }

  assert {
    condition = {
      for name, policy in google_monitoring_alert_policy.line :
      name => [for found in regexall("\"([^\"]+)\"", split("jsonPayload.message=", policy.conditions[0].condition_matched_log[0].filter)[1]) : found[0]]
      } == {
      dead_letters      = ["dead letter stored", "dead letter cannot be stored, this line is all there is", "dead letters over the bound were deleted", "message set aside"]
      person_needed     = ["notification cannot be handled before a person acts", "run halted", "import lock lost to somebody else", "task refused: the caller is not the queue"]
      unusable_settings = ["the settings cannot be used"]
    }
    error_message = "These lines raise an alert."
  }

  # Values that Google refuses, or that would keep an alert from coming; no schema tells them from others.

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.line :
      policy.alert_strategy[0].notification_rate_limit[0].period == "3600s"
    ])
    error_message = "Google makes no alert on lines of the log without a limit of how often it tells of it; once in an hour is enough."
  }

  assert {
    condition = alltrue([
      for policy in concat(
        values(google_monitoring_alert_policy.line), values(google_monitoring_alert_policy.query),
        [google_monitoring_alert_policy.held_messages, google_monitoring_alert_policy.old_messages],
      ) :
      tonumber(trimsuffix(policy.alert_strategy[0].auto_close, "s")) >= 1800 && tonumber(trimsuffix(policy.alert_strategy[0].auto_close, "s")) <= 604800
    ])
    error_message = "An incident is closed by itself after half an hour at the earliest, and after a week at the latest, as Google wants it."
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.query :
      policy.conditions[0].condition_prometheus_query_language[0].disable_metric_validation == true &&
      policy.conditions[0].condition_prometheus_query_language[0].evaluation_interval == "60s"
    ])
    error_message = "A query may name a metric that nothing was counted by yet, as all are at the first apply."
  }

  assert {
    condition = alltrue([
      for condition in concat(google_monitoring_alert_policy.held_messages.conditions, google_monitoring_alert_policy.old_messages.conditions) :
      condition.condition_threshold[0].comparison == "COMPARISON_GT" &&
      condition.condition_threshold[0].aggregations[0].per_series_aligner == "ALIGN_MAX" &&
      tonumber(trimsuffix(condition.condition_threshold[0].aggregations[0].alignment_period, "s")) >= 60 &&
      tonumber(trimsuffix(condition.condition_threshold[0].duration, "s")) <= 300
    ])
    error_message = "The largest value of a minute or more is what a threshold is compared with, and being above it is what is told within minutes."
  }

  assert {
    condition = alltrue([
      for condition in google_monitoring_alert_policy.held_messages.conditions :
      condition.condition_threshold[0].threshold_value == 0
      ]) && toset([for condition in google_monitoring_alert_policy.held_messages.conditions : condition.condition_threshold[0].filter]) == toset([
      for stream in ["events", "plan", "work"] :
      "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"acme-sync-${stream}-dead-hold\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
    ])
    error_message = "One message that was given up is one too many."
  }

  assert {
    condition = toset([for condition in google_monitoring_alert_policy.old_messages.conditions : "${condition.condition_threshold[0].threshold_value} ${condition.condition_threshold[0].filter}"]) == toset([
      for subscription, age_s in { events-push = 900, plan-push = 3600, work-push = 21600, plan-dead-push = 3600, work-dead-push = 21600 } :
      "${age_s} resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"acme-sync-${subscription}\" AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
    ])
    error_message = "Messages that wait for long are seen in every subscription that pushes."
  }

  assert {
    condition = [
      for condition in google_monitoring_alert_policy.query["run_stalled"].conditions :
      "${condition.condition_prometheus_query_language[0].duration} ${condition.condition_prometheus_query_language[0].query}"
    ] == ["1800s (sum(pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=~\"acme-sync-plan-push|acme-sync-work-push|acme-sync-plan-dead-push|acme-sync-work-dead-push\"}) > 0) unless (sum(increase(logging_googleapis_com:user_acme_sync_batches{monitored_resource=\"cloud_run_revision\"}[10m])) > 0)"]
    error_message = "A run is stalled when messages wait for half an hour and no batch is done."
  }

  assert {
    condition = [
      for condition in google_monitoring_alert_policy.query["rate_limited"].conditions :
      "${condition.condition_prometheus_query_language[0].duration} ${replace(condition.condition_prometheus_query_language[0].query, "/logging_googleapis_com:user_acme_sync_([a-z_]+)\\{monitored_resource=\"cloud_run_revision\"\\}/", "$1")}"
    ] == ["300s (sum(increase(rate_limited[15m])) > 10) and (sum(increase(rate_limited[15m])) / clamp_min( (sum(increase(notifications[15m])) or vector(0)) + (sum(increase(batches[15m])) or vector(0)), 1) > 0.2)"]
    error_message = "More than ten 429s in a quarter of an hour, and more than one for each five notifications or batches, are too many."
  }

  assert {
    condition     = google_logging_metric.lines["batches"].filter == "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"acme-sync-dispatch\" OR \"acme-sync-realtime\" OR \"acme-sync-worker\") AND jsonPayload.message=(\"batch done\")"
    error_message = "Lines of our functions are counted, and no others."
  }

  assert {
    condition = { for name, metric in google_logging_metric.lines : metric.name => join(" ", [for label, value in metric.label_extractors : "${label}=${value}"]) } == {
      "acme-sync/dead_letters"  = "reason=EXTRACT(jsonPayload.reason)"
      "acme-sync/person_needed" = ""
      "acme-sync/notifications" = "outcome=EXTRACT(jsonPayload.outcome)"
      "acme-sync/batches"       = "kind=EXTRACT(jsonPayload.kind)"
      "acme-sync/rate_limited"  = "endpoint=EXTRACT(jsonPayload.endpoint)"
      } && alltrue([
        for metric in google_logging_metric.lines :
        join(" ", keys(metric.label_extractors)) == join(" ", sort([for label in metric.metric_descriptor[0].labels : label.key]))
    ])
    error_message = "Lines are counted by what the dashboard shows them by, and what is extracted from a line is declared."
  }

  assert {
    condition = toset([
      for tile in jsondecode(google_monitoring_dashboard.overview.dashboard_json).mosaicLayout.tiles :
      join(" ", concat(
        regex("metric.type=\"([^\"]+)\"", tile.widget.xyChart.dataSets[0].timeSeriesQuery.timeSeriesFilter.filter),
        [
          tile.widget.xyChart.dataSets[0].timeSeriesQuery.timeSeriesFilter.aggregation.perSeriesAligner,
          tile.widget.xyChart.dataSets[0].timeSeriesQuery.timeSeriesFilter.aggregation.crossSeriesReducer, "by",
        ],
        tile.widget.xyChart.dataSets[0].timeSeriesQuery.timeSeriesFilter.aggregation.groupByFields,
      )) if can(tile.widget.xyChart)
      ]) == toset([
      "logging.googleapis.com/user/acme-sync/notifications ALIGN_RATE REDUCE_SUM by metric.label.outcome",
      "logging.googleapis.com/user/acme-sync/batches ALIGN_RATE REDUCE_SUM by metric.label.kind",
      "logging.googleapis.com/user/acme-sync/dead_letters ALIGN_DELTA REDUCE_SUM by metric.label.reason",
      "logging.googleapis.com/user/acme-sync/rate_limited ALIGN_RATE REDUCE_SUM by metric.label.endpoint",
      "logging.googleapis.com/user/acme-sync/person_needed ALIGN_DELTA REDUCE_SUM by resource.label.service_name",
      "pubsub.googleapis.com/subscription/oldest_unacked_message_age ALIGN_MAX REDUCE_MAX by resource.label.subscription_id",
      "pubsub.googleapis.com/subscription/num_undelivered_messages ALIGN_MAX REDUCE_MAX by resource.label.subscription_id",
      "run.googleapis.com/request_count ALIGN_RATE REDUCE_SUM by resource.label.service_name metric.label.response_code_class",
      "run.googleapis.com/request_latencies ALIGN_DELTA REDUCE_PERCENTILE_95 by resource.label.service_name",
      "run.googleapis.com/container/instance_count ALIGN_MAX REDUCE_SUM by resource.label.service_name",
      "run.googleapis.com/container/memory/utilizations ALIGN_DELTA REDUCE_PERCENTILE_99 by resource.label.service_name",
    ]) && length(jsondecode(google_monitoring_dashboard.overview.dashboard_json).mosaicLayout.tiles) == 13
    error_message = "The dashboard shows it all, by metrics that there are, put together in ways that there are."
  }

  assert {
    condition = [
      for tile in jsondecode(google_monitoring_dashboard.overview.dashboard_json).mosaicLayout.tiles : "${try(tile.xPos, "-")} ${try(tile.yPos, "-")} ${tile.width}x${tile.height}"
    ] == ["- - 6x4", "6 - 6x4", "- 4 6x4", "6 4 6x4", "- 8 6x4", "6 8 6x4", "- 12 6x4", "6 12 6x4", "- 16 6x4", "6 16 6x4", "- 20 6x4", "6 20 6x4", "- 24 12x4"]
    error_message = "Tiles stand side by side; a place of 0 is left out, as Google leaves it out, else every plan would show a change."
  }
}
