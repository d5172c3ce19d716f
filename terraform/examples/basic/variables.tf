# What each means, and what it must be, is said and checked by the module (terraform/variables.tf).

variable "project_id" {
  description = "The Google Cloud project."
  type        = string
}

variable "region" {
  description = "The region of the functions."
  type        = string
}

variable "source_archive" {
  description = "The archive that `make source-archive` has written."
  type        = string
  default     = "../../../build/source.zip"
}

variable "ct_api_url" {
  description = "The commercetools API host."
  type        = string
}

variable "ct_auth_url" {
  description = "The commercetools authentication host."
  type        = string
}

variable "ct_project_id" {
  description = "The key of the commercetools project."
  type        = string
}

variable "ct_api_client" {
  description = "The commercetools API client, by TF_VAR_ct_api_client, and only when it is new."
  type        = string
  default     = null
  sensitive   = true
}

variable "klaviyo_auth_key" {
  description = "Klaviyo's private API key, by TF_VAR_klaviyo_auth_key, and only when it is new."
  type        = string
  default     = null
  sensitive   = true
}

variable "secrets_version" {
  description = "Raise it by one with each new value of a secret, however it was given: the functions are started anew and read it."
  type        = number
  default     = 1
}

variable "operators" {
  description = "Who may call the import API, look at messages that were given up and send them again."
  type        = set(string)
  default     = []
}

variable "alert_email" {
  description = "Where alerts go; null: nowhere, they show in the console only."
  type        = string
  default     = null
}

variable "preferred_locale" {
  description = "The language of names and slugs."
  type        = string
  default     = null
}

variable "preferred_currency" {
  description = "The currency of prices."
  type        = string
  default     = null
}

variable "product_url_template" {
  description = "A product's address."
  type        = string
  default     = null
}
