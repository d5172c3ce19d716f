# Secrets are in Secret Manager and in nothing that Terraform keeps.

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

run "added_by_hand" {
  command = plan

  assert {
    condition     = toset([for secret in google_secret_manager_secret.secret : secret.secret_id]) == toset(["acme-sync-ct-api-client", "acme-sync-klaviyo-auth-key"])
    error_message = "There is a secret for each credential."
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

  assert {
    condition = alltrue([
      for member in google_secret_manager_secret_iam_member.function : member.role == "roles/secretmanager.secretAccessor"
    ]) && length(google_secret_manager_secret_iam_member.function) == 6
    error_message = "Each function may read its two secrets, and do nothing else with them."
  }
}

run "given_to_terraform" {
  command = plan

  variables {
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
    condition     = length(google_secret_manager_secret_iam_member.function) == 7
    error_message = "Only the import API may read it."
  }
}

run "half_a_client_is_refused" {
  command = plan

  variables {
    ct_api_client = "{\"clientId\": \"an-id\"}"
  }

  expect_failures = [var.ct_api_client]
}
