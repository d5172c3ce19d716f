"""The part of the vendor's GraphQL schema that the simulator serves; everything outside it fails validation.

A test holds every type, field and argument against the vendor's own schema.
"""

SDL = """
scalar DateTime
scalar Long
scalar Locale
scalar Country
scalar Date

enum AuthenticationMode { Password ExternalAuth }
enum ChannelRole { InventorySupply ProductDistribution OrderExport OrderImport Primary }

type Initiator { clientId: String }
type Reference { typeId: String! id: String! }
type KeyReference { typeId: String! key: String! }

type Address {
  id: String title: String salutation: String firstName: String lastName: String streetName: String
  streetNumber: String additionalStreetInfo: String postalCode: String city: String region: String state: String
  country: Country! company: String department: String building: String apartment: String pOBox: String
  additionalAddressInfo: String externalId: String key: String phone: String mobile: String email: String fax: String
}

type CustomerGroup {
  id: String! version: Long! name: String! key: String createdAt: DateTime! lastModifiedAt: DateTime!
  createdBy: Initiator lastModifiedBy: Initiator
}

type CustomerGroupAssignment { customerGroupRef: Reference customerGroup: CustomerGroup }

type Customer {
  id: String! customerNumber: String email: String! addresses: [Address!]! defaultShippingAddressId: String
  defaultBillingAddressId: String shippingAddressIds: [String!]! billingAddressIds: [String!]!
  isEmailVerified: Boolean! customerGroupRef: Reference externalId: String key: String
  authenticationMode: AuthenticationMode firstName: String lastName: String middleName: String title: String
  locale: Locale salutation: String dateOfBirth: Date companyName: String vatId: String customerGroup: CustomerGroup
  storesRef: [KeyReference!]! customerGroupAssignments: [CustomerGroupAssignment!]!
  version: Long! createdAt: DateTime! lastModifiedAt: DateTime! createdBy: Initiator lastModifiedBy: Initiator
}

type Store {
  id: String! version: Long! key: String! languages: [Locale!] distributionChannelsRef: [Reference!]!
  supplyChannelsRef: [Reference!]! createdAt: DateTime! lastModifiedAt: DateTime!
  createdBy: Initiator lastModifiedBy: Initiator
}

type Channel {
  id: String! version: Long! key: String! roles: [ChannelRole!]! createdAt: DateTime! lastModifiedAt: DateTime!
  createdBy: Initiator lastModifiedBy: Initiator
}

enum OrderState { Cancelled Complete Confirmed Open }
enum PaymentState { BalanceDue CreditOwed Failed Paid Pending }
enum ShipmentState { Backorder Canceled Delayed Delivered Partial Pending Ready Shipped }
enum PriceMode { Embedded Standalone }

type Category {
  id: String! key: String version: Long! ancestorsRef: [Reference!]! ancestors: [Category!]! parentRef: Reference
  parent: Category orderHint: String! externalId: String createdAt: DateTime! lastModifiedAt: DateTime!
  createdBy: Initiator lastModifiedBy: Initiator
}

type ProductCatalogData { published: Boolean! hasStagedChanges: Boolean! }

type Product {
  id: String! key: String version: Long! productTypeRef: Reference! masterData: ProductCatalogData!
  createdAt: DateTime! lastModifiedAt: DateTime! priceMode: PriceMode createdBy: Initiator lastModifiedBy: Initiator
}

type InventoryEntry {
  id: String! version: Long! key: String sku: String! quantityOnStock: Long! availableQuantity: Long!
  supplyChannelRef: Reference createdAt: DateTime! lastModifiedAt: DateTime! createdBy: Initiator lastModifiedBy: Initiator
}

type PaymentInfo { paymentRefs: [Reference!]! }

type Order {
  id: String! version: Long! orderNumber: String customerId: String customerEmail: String anonymousId: String
  customerGroupRef: Reference country: Country locale: Locale storeRef: KeyReference paymentInfo: PaymentInfo
  orderState: OrderState! shipmentState: ShipmentState paymentState: PaymentState completedAt: DateTime
  createdAt: DateTime! lastModifiedAt: DateTime! createdBy: Initiator lastModifiedBy: Initiator
}

type CategoryQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [Category!]! }
type ProductQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [Product!]! }
type InventoryEntryQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [InventoryEntry!]! }
type OrderQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [Order!]! }
type CustomerQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [Customer!]! }
type CustomerGroupQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [CustomerGroup!]! }
type StoreQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [Store!]! }
type ChannelQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [Channel!]! }

type Query {
  customer(id: String, key: String): Customer
  customers(where: String, sort: [String!], limit: Int, offset: Int): CustomerQueryResult!
  customerGroup(id: String, key: String): CustomerGroup
  customerGroups(where: String, sort: [String!], limit: Int, offset: Int): CustomerGroupQueryResult!
  store(id: String, key: String): Store
  stores(where: String, sort: [String!], limit: Int, offset: Int): StoreQueryResult!
  channel(id: String, key: String): Channel
  channels(where: String, sort: [String!], limit: Int, offset: Int): ChannelQueryResult!
  category(id: String, key: String): Category
  categories(where: String, sort: [String!], limit: Int, offset: Int): CategoryQueryResult!
  product(id: String, key: String): Product
  products(where: String, sort: [String!], limit: Int, offset: Int): ProductQueryResult!
  inventoryEntry(id: String, key: String): InventoryEntry
  inventoryEntries(where: String, sort: [String!], limit: Int, offset: Int): InventoryEntryQueryResult!
  order(id: String, orderNumber: String): Order
  orders(where: String, sort: [String!], limit: Int, offset: Int): OrderQueryResult!
}
"""

REFERENCES = {
    ("Customer", "customerGroupRef"): "customerGroup",
    ("Customer", "storesRef"): "stores",
    ("CustomerGroupAssignment", "customerGroupRef"): "customerGroup",
    ("Store", "distributionChannelsRef"): "distributionChannels",
    ("Store", "supplyChannelsRef"): "supplyChannels",
    ("Category", "ancestorsRef"): "ancestors",
    ("Category", "parentRef"): "parent",
    ("Product", "productTypeRef"): "productType",
    ("InventoryEntry", "supplyChannelRef"): "supplyChannel",
    ("Order", "customerGroupRef"): "customerGroup",
    ("Order", "storeRef"): "store",
    ("PaymentInfo", "paymentRefs"): "payments",
}
"""(type, field) that shows a reference as it is -> the REST resource's field that holds it."""

EXPANDED = {
    ("Customer", "customerGroup"): "customer-groups",
    ("CustomerGroupAssignment", "customerGroup"): "customer-groups",
    ("Category", "parent"): "categories",
    ("Category", "ancestors"): "categories",
}
"""(type, field) that shows what a reference of the same name points to -> the collection where that is."""
