# The state of imports: a database of its own, whose records end by themselves. Nothing in it is changed by a transaction that reads
# before it writes, so how the database would settle those between themselves is left to its default.

resource "google_firestore_database" "state" {
  project                           = var.project_id
  name                              = local.firestore_database
  location_id                       = coalesce(var.firestore_location, var.region)
  type                              = "FIRESTORE_NATIVE"
  app_engine_integration_mode       = "DISABLED"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_${var.firestore_point_in_time_recovery ? "ENABLED" : "DISABLED"}"
  delete_protection_state           = "DELETE_PROTECTION_${var.firestore_delete_protection ? "ENABLED" : "DISABLED"}"
  deletion_policy                   = var.firestore_delete_protection ? "ABANDON" : "DELETE"

  depends_on = [google_project_service.api]
}

# Firestore makes changes of fields one after the other, each in some minutes. What comes too close is refused with 409, of which the
# provider repeats a part only. README.md says what to do then, and how a database that stays keeps what is said here of its fields:
# a destroy would take it back, field by field, and the provider has no way to be told otherwise.
locals {
  expiring_collections = toset(["runs", "ranges", "batches"])

  # Large fields that nothing is looked for by: an index of them would cost more than the record.
  wide_fields = {
    runs    = ["record"]
    ranges  = ["record"]
    batches = ["carried", "examples", "failed_items", "ids", "lists", "reasons"]
  }
}

# Firestore deletes a record some time after `expires_at`. Nothing is looked for by it, and an index of times that only grow
# would bound how many records can be written in a second.
resource "google_firestore_field" "expiry" {
  for_each = local.expiring_collections

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.value
  field      = "expires_at"

  ttl_config {}
  index_config {}

  timeouts {
    create = "60m" # of waiting for the others, mostly
    update = "60m"
    delete = "60m"
  }
}

resource "google_firestore_field" "wide" {
  for_each = {
    for pair in flatten([for collection, fields in local.wide_fields : [for field in fields : { collection = collection, field = field }]]) :
    "${pair.collection}/${pair.field}" => pair
  }

  project    = var.project_id
  database   = google_firestore_database.state.name
  collection = each.value.collection
  field      = each.value.field

  index_config {}

  timeouts {
    create = "60m"
    update = "60m"
    delete = "60m"
  }
}
