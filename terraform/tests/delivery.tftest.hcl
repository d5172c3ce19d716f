# Every message is delivered again until it is handled, and kept when it never is.

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

run "delivery" {
  command = plan

  assert {
    condition = alltrue([
      for subscription in google_pubsub_subscription.push :
      subscription.retry_policy[0].minimum_backoff == "10s" && subscription.dead_letter_policy[0].max_delivery_attempts == 100
    ]) && length(google_pubsub_subscription.push) == 3
    error_message = "Each stream is delivered again, with pauses, and has somewhere to go after 100 attempts."
  }

  assert {
    condition     = google_pubsub_subscription.push["events"].retry_policy[0].maximum_backoff == "600s"
    error_message = "Notifications wait up to ten minutes between attempts, so that 100 of them outlast an outage of hours."
  }

  assert {
    condition = alltrue([
      for stream in ["plan", "work"] : google_pubsub_subscription.push[stream].retry_policy[0].maximum_backoff == "60s"
    ])
    error_message = "A lease that ran out is found within a minute."
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
      for stream in keys(google_pubsub_subscription.push) :
      google_pubsub_topic_iam_member.dead[stream].role == "roles/pubsub.publisher" &&
      google_pubsub_topic_iam_member.dead[stream].topic == google_pubsub_topic.dead[stream].name &&
      google_pubsub_topic_iam_member.dead[stream].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com" &&
      google_pubsub_subscription_iam_member.dead[stream].role == "roles/pubsub.subscriber" &&
      google_pubsub_subscription_iam_member.dead[stream].subscription == google_pubsub_subscription.push[stream].name &&
      google_pubsub_subscription_iam_member.dead[stream].member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    ])
    error_message = "Pub/Sub may hand over what it gives up."
  }

  assert {
    condition = alltrue([
      for subscription in concat(values(google_pubsub_subscription.push), values(google_pubsub_subscription.holding), [google_pubsub_subscription.dead_push]) :
      subscription.message_retention_duration == "604800s" && subscription.expiration_policy[0].ttl == ""
    ])
    error_message = "Messages are kept for seven days, and no subscription expires."
  }

  assert {
    condition = (
      google_pubsub_subscription.dead_push.topic == google_pubsub_topic.dead["work"].id &&
      google_pubsub_subscription.dead_push.retry_policy[0].minimum_backoff == "10s" &&
      length(google_pubsub_subscription.dead_push.dead_letter_policy) == 0
    )
    error_message = "The worker is told of what was given up of its stream, again and again until it has taken note."
  }

  assert {
    condition = {
      for name, subscription in merge(google_pubsub_subscription.push, { dead = google_pubsub_subscription.dead_push }) :
      name => subscription.push_config[0].push_endpoint
      } == {
      events = "https://acme-sync-realtime-123456789012.europe-west1.run.app/"
      plan   = "https://acme-sync-dispatch-123456789012.europe-west1.run.app/tasks/plan"
      work   = "https://acme-sync-worker-123456789012.europe-west1.run.app/"
      dead   = "https://acme-sync-worker-123456789012.europe-west1.run.app/dead"
    }
    error_message = "Each stream goes where its function listens."
  }

  assert {
    condition = alltrue([
      for subscription in concat(values(google_pubsub_subscription.push), [google_pubsub_subscription.dead_push]) :
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
}
