# Where it runs

variable "project_id" {
  description = "The Google Cloud project, by its id. It must exist, with billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project id: 6 to 30 small letters, digits and -. Look it up with `gcloud projects list`."
  }
}

variable "region" {
  description = "The region of the functions, such as europe-west1; best the one that is nearest to the commercetools project."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region, such as europe-west1, no zone. List them with `gcloud functions regions list`."
  }
}

variable "name_prefix" {
  description = "What all names begin with. Two installations in one project need two prefixes."
  type        = string
  default     = "klaviyo-sync"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix must be 3 to 22 small letters, digits and -, a letter first. Choose a shorter or plainer one."
  }
}

variable "labels" {
  description = "Labels of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "source_archive" {
  description = <<-EOT
    Path of the archive with the functions' source, which `make source-archive` writes to build/source.zip. Every plan reads it,
    also that of a destroy.
  EOT
  type        = string

  validation {
    condition     = fileexists(var.source_archive)
    error_message = "source_archive names no file. Write it with `make source-archive`, and give its path from where terraform is run."
  }
}

# commercetools and Klaviyo

variable "ct_api_url" {
  description = "The commercetools API host, such as https://api.europe-west1.gcp.commercetools.com (CT_API_URL)."
  type        = string

  validation {
    condition     = can(regex("^https://[^/?#\\s]+/?$", var.ct_api_url))
    error_message = "ct_api_url must be https:// and a host, without a path. The Merchant Center shows it with the API client."
  }
}

variable "ct_auth_url" {
  description = "The commercetools authentication host, such as https://auth.europe-west1.gcp.commercetools.com (CT_AUTH_URL)."
  type        = string

  validation {
    condition     = can(regex("^https://[^/?#\\s]+/?$", var.ct_auth_url))
    error_message = "ct_auth_url must be https:// and a host, without a path. The Merchant Center shows it with the API client."
  }
}

variable "ct_project_id" {
  description = "The key of the commercetools project (CT_PROJECT_ID)."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{2,36}$", var.ct_project_id))
    error_message = "ct_project_id must be a project key: 2 to 36 letters, digits, - and _. The Merchant Center's address has it."
  }
}

variable "ct_scopes" {
  description = "The scopes to ask for (CT_SCOPES); none: whatever the API client has."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for scope in var.ct_scopes : can(regex("^\\S+$", scope))])
    error_message = "ct_scopes must be a list with one scope in each element, without spaces. Split the text at its spaces."
  }
}

variable "klaviyo_api_url" {
  description = "The Klaviyo API host (KLAVIYO_API_URL); null: Klaviyo's own."
  type        = string
  default     = null

  validation {
    condition     = var.klaviyo_api_url == null || can(regex("^https://[^/?#\\s]+/?$", var.klaviyo_api_url))
    error_message = "klaviyo_api_url must be https:// and a host, without a path. Leave it out for Klaviyo's own."
  }
}

variable "product_url_template" {
  description = "A product's address, with {{productSlug}}, {{productId}}, {{productKey}} or {{sku}} (PRODUCT_URL_TEMPLATE)."
  type        = string
  default     = null
}

variable "preferred_locale" {
  description = "The language of names and slugs, such as en-GB (PREFERRED_LOCALE); null: the first that a record has."
  type        = string
  default     = null
}

variable "preferred_currency" {
  description = "The currency of prices (PREFERRED_CURRENCY); null: that of the first price."
  type        = string
  default     = null

  validation {
    condition     = var.preferred_currency == null || can(regex("^[A-Z]{3}$", var.preferred_currency))
    error_message = "preferred_currency must be a code of three capital letters, such as EUR. Leave it out for no choice."
  }
}

variable "sync_config" {
  description = "The configuration document (SYNC_CONFIG), as an object; it may hold only what differs from the defaults."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.sync_config))
    error_message = "sync_config must be an object. Write it in Terraform's syntax, or read a file: jsondecode(file(\"sync.json\"))."
  }
}

variable "log_level" {
  description = "The least severe line that is written (LOG_LEVEL)."
  type        = string
  default     = "INFO"
  nullable    = false

  # Most alerts and charts count lines of the levels INFO and WARNING.
  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "log_level must be DEBUG or INFO: alerts and charts count lines of the level INFO. Choose INFO."
  }
}

# Secrets

variable "ct_api_client" {
  description = <<-EOT
    The commercetools API client: {"clientId": "...", "secret": "..."}. Goes into Secret Manager, not into the state, but a
    saved plan file holds it. Give it as TF_VAR_ct_api_client when it is new, and leave it out otherwise; null: the secret's
    latest version stays, or is added with gcloud.
  EOT
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.ct_api_client == null || can(jsondecode(var.ct_api_client).clientId) && can(jsondecode(var.ct_api_client).secret)
    error_message = "ct_api_client must be JSON with clientId and secret. Set TF_VAR_ct_api_client='{\"clientId\": \"...\", \"secret\": \"...\"}'."
  }
}

variable "klaviyo_auth_key" {
  description = "Klaviyo's private API key, pk_...; handled as ct_api_client is."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.klaviyo_auth_key == null || can(regex("^[!-~]{7,}$", var.klaviyo_auth_key))
    error_message = "klaviyo_auth_key must be a private key, without spaces and line breaks. Set TF_VAR_klaviyo_auth_key=pk_... once more."
  }
}

variable "import_api_key_enabled" {
  description = <<-EOT
    Whether callers of the import API need a key of their own (X-Api-Key) beside Google's permission, which they always need.
    Then the secret needs a value (import_api_key), and there can be no scheduled_imports.
  EOT
  type        = bool
  default     = false
  nullable    = false
}

variable "import_api_key" {
  description = "That key (BULK_IMPORT_API_KEY), a long random text; handled as ct_api_client is."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.import_api_key == null || can(regex("^[!-~]{16,}$", var.import_api_key))
    error_message = "import_api_key must have 16 characters or more, without spaces. Make one with `openssl rand -hex 32`."
  }

  validation {
    condition     = var.import_api_key == null || var.import_api_key_enabled
    error_message = "import_api_key has no effect while import_api_key_enabled is false. Set that to true, or leave the key out."
  }
}

variable "secrets_version" {
  description = <<-EOT
    Raise it by one when a secret has a new value, whether it was given here or with gcloud: only then are the functions started
    anew, and read it. A value that was left out before is sent as soon as it is given; one that was given all the time is sent
    again only when this is raised.
  EOT
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version must be a whole number from 1. Raise the last one by one."
  }
}

# People

variable "operators" {
  description = <<-EOT
    Who may call the import API, look at messages that were given up and send them again: user:..., group:...,
    serviceAccount:...
    Without one, only Terraform's schedules and the project's owners and editors can start an import.
  EOT
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount):[^@\\s]+@[^@\\s]+$", member))])
    error_message = "operators must be user:, group: or serviceAccount: with an e-mail address. The functions are never public: name who needs them."
  }
}

variable "commercetools_publisher" {
  description = "The account that commercetools publishes notifications with; it is the same for all projects."
  type        = string
  default     = "serviceAccount:subscriptions@commercetools-platform.iam.gserviceaccount.com"
  nullable    = false

  validation {
    condition     = can(regex("^serviceAccount:[^@\\s]+@[^@\\s]+$", var.commercetools_publisher))
    error_message = "commercetools_publisher must be serviceAccount: with an e-mail address. Leave it out for commercetools' own."
  }
}

# Functions

variable "realtime" {
  description = <<-EOT
    The function that handles notifications. One instance works `concurrency` of them at once; `max_instances` share Klaviyo's
    limits, so more of them make nothing faster once those are reached. With `min_instances` 1 no notification waits for a
    start, for the price of an idle instance. `deadline_s`: after that long a notification is put back.
  EOT
  type = object({
    min_instances = optional(number, 0)
    max_instances = optional(number, 2)
    concurrency   = optional(number, 32)
    cpu           = optional(string, "1")
    memory        = optional(string, "512Mi")
    timeout_s     = optional(number, 60)
    deadline_s    = optional(number, 8.5)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.realtime.max_instances >= 1 && var.realtime.max_instances <= 100 && var.realtime.min_instances <= var.realtime.max_instances
    error_message = "realtime.max_instances must be 1 to 100, and min_instances not above it. Choose 2 if in doubt."
  }

  validation {
    condition     = var.realtime.concurrency >= 1 && var.realtime.concurrency <= 200 && tonumber(var.realtime.cpu) >= 1
    error_message = "realtime.concurrency must be 1 to 200, and cpu \"1\" or more, which Cloud Run wants for more than one call at once."
  }

  validation {
    condition     = var.realtime.deadline_s > 0 && var.realtime.timeout_s >= var.realtime.deadline_s + 10 && var.realtime.timeout_s <= 540
    error_message = "realtime.timeout_s must be at most 540, and 10 s above deadline_s. Raise it, or lower deadline_s."
  }
}

variable "dispatcher" {
  description = <<-EOT
    The import API, which also plans imports. One instance answers and plans `concurrency` calls at once, which mostly wait for
    others. All instances together have places for the 16 ranges of each of the four kinds, and 16 more: who wants to stop an
    import is let in while all are planned. `ingress` ALLOW_ALL lets operators call from anywhere, if Google lets them in;
    ALLOW_INTERNAL_ONLY only from this project's network.
  EOT
  type = object({
    max_instances = optional(number, 2)
    concurrency   = optional(number, 40)
    cpu           = optional(string, "1")
    memory        = optional(string, "512Mi")
    timeout_s     = optional(number, 300)
    ingress       = optional(string, "ALLOW_ALL")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.dispatcher.max_instances >= 1 && var.dispatcher.max_instances <= 100
    error_message = "dispatcher.max_instances must be 1 to 100. Choose 2 if in doubt."
  }

  validation {
    condition     = var.dispatcher.concurrency >= 1 && var.dispatcher.concurrency <= 200 && tonumber(var.dispatcher.cpu) >= 1
    error_message = "dispatcher.concurrency must be 1 to 200, and cpu \"1\" or more, which Cloud Run wants for more than one call at once."
  }

  validation {
    condition     = var.dispatcher.max_instances * var.dispatcher.concurrency >= 4 * 16 + 16
    error_message = "dispatcher.max_instances times concurrency must be at least 80, else planning leaves no place for a stop. Choose 2 and 40 if in doubt."
  }

  validation {
    condition     = var.dispatcher.timeout_s >= 120 && var.dispatcher.timeout_s <= 540
    error_message = "dispatcher.timeout_s must be 120 to 540: Pub/Sub waits 600 s at most for an answer. Choose 300 if in doubt."
  }

  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"], var.dispatcher.ingress)
    error_message = "dispatcher.ingress must be ALLOW_ALL, ALLOW_INTERNAL_ONLY or ALLOW_INTERNAL_AND_GCLB. Choose ALLOW_ALL if in doubt."
  }
}

variable "worker" {
  description = <<-EOT
    The function that works an import's batches. One instance reads, maps and sends `slots` of them at once, and has four times
    as many under way, which wait for Klaviyo. One instance can use all that Klaviyo's limits allow; more of them share these,
    so raise `max_instances` only where measurements show that mapping, not Klaviyo, is the bound.
  EOT
  type = object({
    max_instances = optional(number, 1)
    slots         = optional(number, 4)
    cpu           = optional(string, "1")
    memory        = optional(string, "1Gi")
    timeout_s     = optional(number, 540)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.worker.max_instances >= 1 && var.worker.max_instances <= 100
    error_message = "worker.max_instances must be 1 to 100. Choose 1 if in doubt."
  }

  validation {
    condition     = var.worker.slots >= 1 && var.worker.slots <= 16 && tonumber(var.worker.cpu) >= 1
    error_message = "worker.slots must be 1 to 16, and cpu \"1\" or more, which Cloud Run wants for more than one call at once."
  }

  validation {
    condition     = var.worker.timeout_s >= 120 && var.worker.timeout_s <= 540
    error_message = "worker.timeout_s must be 120 to 540: Pub/Sub waits 600 s at most for an answer. Choose 540 if in doubt."
  }
}

# State and messages

variable "firestore_database" {
  description = "The Firestore database, made for this alone; null: <name_prefix>-state."
  type        = string
  default     = null

  validation {
    condition     = var.firestore_database == null || can(regex("^(\\(default\\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$", var.firestore_database))
    error_message = "firestore_database must be (default), or 4 to 63 small letters, digits and -. Leave it out for a name of its own."
  }
}

variable "firestore_location" {
  description = "Where the database is, which can never be changed; null: the region. Others, such as eur3, span regions."
  type        = string
  default     = null
}

variable "firestore_delete_protection" {
  description = "Whether the database stays when Terraform would delete it. Turn it off, and apply, before you destroy everything."
  type        = bool
  default     = true
  nullable    = false
}

variable "firestore_point_in_time_recovery" {
  description = "Whether the database can be read as it was at any time of the last seven days; costs storage."
  type        = bool
  default     = false
  nullable    = false
}

variable "message_regions" {
  description = "Where Pub/Sub may keep messages, which have orders and customers in them; null: only in the region. Empty: anywhere."
  type        = list(string)
  default     = null
}

# Periodic imports

variable "scheduled_imports" {
  description = <<-EOT
    Imports at fixed times, by a name of yours; none unless you name some. Realtime keeps Klaviyo current, and every import is an
    upsert, so a schedule is a safety net: what realtime missed, it brings over. `kind` is all, customers, orders, categories or
    products; `schedule` a cron line, such as "0 3 * * 0"; with `created_after` (ISO 8601 with an offset) older records are left
    out. An import that is due while another one of the kind is under way is refused, and the next one is as good.
  EOT
  type = map(object({
    kind          = string
    schedule      = string
    time_zone     = optional(string, "Etc/UTC")
    created_after = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, job in var.scheduled_imports : can(regex("^[a-z0-9-]{1,40}$", name))])
    error_message = "Names of scheduled_imports must have 1 to 40 small letters, digits and -. Rename them."
  }

  validation {
    condition     = alltrue([for job in var.scheduled_imports : contains(["all", "customers", "orders", "categories", "products"], job.kind)])
    error_message = "kind of scheduled_imports must be all, customers, orders, categories or products. Choose one of these."
  }

  validation {
    condition     = alltrue([for job in var.scheduled_imports : length(split(" ", trimspace(job.schedule))) == 5])
    error_message = "schedule of scheduled_imports must be a cron line of five fields: minute, hour, day, month, weekday. \"0 3 * * 0\" is Sundays at three."
  }

  validation {
    condition     = alltrue([for job in var.scheduled_imports : job.created_after == null || can(timeadd(job.created_after, "0s"))])
    error_message = "created_after of scheduled_imports must be a time with an offset, such as 2026-01-31T00:00:00Z. Write it so, or leave it out."
  }

  validation {
    condition     = length(var.scheduled_imports) == 0 || !var.import_api_key_enabled
    error_message = "scheduled_imports cannot send the import API's key without showing it in the job. Set import_api_key_enabled to false, or start them elsewhere."
  }
}

variable "scheduler_region" {
  description = "The region of Cloud Scheduler, which is not in all of them; null: the region."
  type        = string
  default     = null
}

# Monitoring

variable "notification_channels" {
  description = "Where alerts go: ids of notification channels, projects/.../notificationChannels/... Without one, they show in the console only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", channel))])
    error_message = "notification_channels must be projects/.../notificationChannels/... List them with `gcloud beta monitoring channels list`."
  }
}

variable "oldest_message_s" {
  description = "How old (seconds) a message of a stream may become before there is an alert. A large import's batches wait for hours."
  type = object({
    events = optional(number, 900)
    plan   = optional(number, 3600)
    work   = optional(number, 21600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for age_s in values(var.oldest_message_s) : age_s >= 60 && age_s <= 604800])
    error_message = "oldest_message_s must be 60 to 604800 seconds for each stream. Leave a stream out for its default."
  }
}

variable "rate_limited_share" {
  description = "How many 429s of Klaviyo there may be for each notification or batch (over 15 minutes) before there is an alert."
  type        = number
  default     = 0.2
  nullable    = false

  validation {
    condition     = var.rate_limited_share > 0
    error_message = "rate_limited_share must be above 0. Choose 0.2 if in doubt."
  }
}
