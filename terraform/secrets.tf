# Secrets, handed to the functions as environment variables. Their values are in Secret Manager and nowhere else: an argument
# that can only be written keeps them out of the state.

locals {
  # By environment variable: the end of the secret's name. The list is fixed, so that no value decides what there is.
  secret_names = merge(
    { CT_API_CLIENT = "ct-api-client", KLAVIYO_AUTH_KEY = "klaviyo-auth-key" },
    var.import_api_key_enabled ? { BULK_IMPORT_API_KEY = "import-api-key" } : {},
  )

  function_secrets = {
    realtime   = ["CT_API_CLIENT", "KLAVIYO_AUTH_KEY"]
    dispatcher = keys(local.secret_names)
    worker     = ["CT_API_CLIENT", "KLAVIYO_AUTH_KEY"]
  }

  # Whether a value was given is no secret.
  given = {
    CT_API_CLIENT       = nonsensitive(var.ct_api_client != null)
    KLAVIYO_AUTH_KEY    = nonsensitive(var.klaviyo_auth_key != null)
    BULK_IMPORT_API_KEY = nonsensitive(var.import_api_key != null)
  }
  values = {
    CT_API_CLIENT       = var.ct_api_client
    KLAVIYO_AUTH_KEY    = var.klaviyo_auth_key
    BULK_IMPORT_API_KEY = var.import_api_key
  }
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secret_names

  project   = var.project_id
  secret_id = "${var.name_prefix}-${each.value}"
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.api]
}

# A value that is left out later is only forgotten here: the version stays, and with it what the functions read, the latest. The plan
# says "will be destroyed" all the same.
resource "google_secret_manager_secret_version" "value" {
  for_each = { for variable, name in local.secret_names : variable => name if local.given[variable] }

  secret                 = google_secret_manager_secret.secret[each.key].id
  secret_data_wo         = local.values[each.key]
  secret_data_wo_version = var.secrets_version
  deletion_policy        = "ABANDON"
}
