# One installation of the sync in one Google Cloud project. Copy this folder, and fill in terraform.tfvars.

terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # Where the state is kept: without a backend in a file of this folder. A bucket keeps it for everybody who works on it.
  # backend "gcs" {
  #   bucket = "my-terraform-state"
  #   prefix = "klaviyo-sync"
  # }
}

provider "google" {
  project = var.project_id
  region  = var.region
}

module "klaviyo_sync" {
  # From a copy of this folder elsewhere: the path of terraform/ in your checkout.
  source = "../.."

  project_id     = var.project_id
  region         = var.region
  source_archive = var.source_archive

  ct_api_url    = var.ct_api_url
  ct_auth_url   = var.ct_auth_url
  ct_project_id = var.ct_project_id

  # Values only when they are new: README.md.
  ct_api_client    = var.ct_api_client
  klaviyo_auth_key = var.klaviyo_auth_key
  secrets_version  = var.secrets_version

  operators             = var.operators
  notification_channels = google_monitoring_notification_channel.email[*].id

  # What the shop needs; all of them, with their defaults, are in terraform/variables.tf.
  preferred_locale     = var.preferred_locale
  preferred_currency   = var.preferred_currency
  product_url_template = var.product_url_template

  # A full import each Sunday night, as a safety net.
  # scheduled_imports = {
  #   weekly = { kind = "all", schedule = "0 3 * * 0", time_zone = "Europe/Berlin" }
  # }
}

resource "google_monitoring_notification_channel" "email" {
  count = var.alert_email == null ? 0 : 1

  project      = var.project_id
  display_name = "Alerts of klaviyo-sync"
  type         = "email"
  labels       = { email_address = var.alert_email }
}
