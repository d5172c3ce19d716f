# What everything is called. Topics and subscriptions are named as the code looks for them (shared/google/names.py).

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  project_number = data.google_project.this.number

  topics             = { for stream in ["events", "plan", "work"] : stream => "${var.name_prefix}-${stream}" }
  push_subscriptions = { for stream, name in local.topics : stream => "${name}-push" }
  dead_topics        = { for stream, name in local.topics : stream => "${name}-dead" }
  holding            = { for stream, name in local.dead_topics : stream => "${name}-hold" }
  dead_push          = { for stream in ["plan", "work"] : stream => "${local.dead_topics[stream]}-push" }

  function_names = {
    realtime   = "${var.name_prefix}-realtime"
    dispatcher = "${var.name_prefix}-dispatch"
    worker     = "${var.name_prefix}-worker"
  }

  # Cloud Run has two addresses for a service: one with a hash, known afterwards, and this one, made of what is known before.
  # A function is told the audience of the tokens that it accepts, so only an address that does not come out of the function
  # itself can be given to it. Cloud Run takes both for the audience of a token.
  function_urls = { for key, name in local.function_names : key => "https://${name}-${local.project_number}.${var.region}.run.app" }

  firestore_database = coalesce(var.firestore_database, "${var.name_prefix}-state")
}
