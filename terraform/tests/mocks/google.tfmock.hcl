# What Google would answer, known while planning, so that no test needs to apply anything.

mock_data "google_project" {
  defaults = { number = "123456789012" }
}

override_resource {
  target = google_service_account.account["realtime"]
  values = {
    id     = "projects/acme-cloud/serviceAccounts/acme-sync-events@acme-cloud.iam.gserviceaccount.com"
    name   = "projects/acme-cloud/serviceAccounts/acme-sync-events@acme-cloud.iam.gserviceaccount.com"
    email  = "acme-sync-events@acme-cloud.iam.gserviceaccount.com"
    member = "serviceAccount:acme-sync-events@acme-cloud.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.account["dispatcher"]
  values = {
    id     = "projects/acme-cloud/serviceAccounts/acme-sync-plan@acme-cloud.iam.gserviceaccount.com"
    name   = "projects/acme-cloud/serviceAccounts/acme-sync-plan@acme-cloud.iam.gserviceaccount.com"
    email  = "acme-sync-plan@acme-cloud.iam.gserviceaccount.com"
    member = "serviceAccount:acme-sync-plan@acme-cloud.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.account["worker"]
  values = {
    id     = "projects/acme-cloud/serviceAccounts/acme-sync-work@acme-cloud.iam.gserviceaccount.com"
    name   = "projects/acme-cloud/serviceAccounts/acme-sync-work@acme-cloud.iam.gserviceaccount.com"
    email  = "acme-sync-work@acme-cloud.iam.gserviceaccount.com"
    member = "serviceAccount:acme-sync-work@acme-cloud.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.account["push"]
  values = {
    id     = "projects/acme-cloud/serviceAccounts/acme-sync-push@acme-cloud.iam.gserviceaccount.com"
    name   = "projects/acme-cloud/serviceAccounts/acme-sync-push@acme-cloud.iam.gserviceaccount.com"
    email  = "acme-sync-push@acme-cloud.iam.gserviceaccount.com"
    member = "serviceAccount:acme-sync-push@acme-cloud.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.account["scheduler"]
  values = {
    id     = "projects/acme-cloud/serviceAccounts/acme-sync-cron@acme-cloud.iam.gserviceaccount.com"
    name   = "projects/acme-cloud/serviceAccounts/acme-sync-cron@acme-cloud.iam.gserviceaccount.com"
    email  = "acme-sync-cron@acme-cloud.iam.gserviceaccount.com"
    member = "serviceAccount:acme-sync-cron@acme-cloud.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.account["build"]
  values = {
    id     = "projects/acme-cloud/serviceAccounts/acme-sync-build@acme-cloud.iam.gserviceaccount.com"
    name   = "projects/acme-cloud/serviceAccounts/acme-sync-build@acme-cloud.iam.gserviceaccount.com"
    email  = "acme-sync-build@acme-cloud.iam.gserviceaccount.com"
    member = "serviceAccount:acme-sync-build@acme-cloud.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_pubsub_topic.dead["events"]
  values = { id = "projects/acme-cloud/topics/acme-sync-events-dead" }
}

override_resource {
  target = google_pubsub_topic.dead["plan"]
  values = { id = "projects/acme-cloud/topics/acme-sync-plan-dead" }
}

override_resource {
  target = google_pubsub_topic.dead["work"]
  values = { id = "projects/acme-cloud/topics/acme-sync-work-dead" }
}

override_resource {
  target = google_artifact_registry_repository.images
  values = {
    id   = "projects/acme-cloud/locations/europe-west1/repositories/acme-sync-functions"
    name = "acme-sync-functions"
  }
}
