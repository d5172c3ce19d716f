"""How large a sample is, kind by kind; the sizes of what belongs to products and orders follow from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Numbers of rows. The default is the demo's.

    `variants` is the number of every product's variants, `lines` of every order's line items; None: they vary, and the
    samples then also have a product of 100 variants, an order of 40 lines and an order of 2 MB.
    Orders of a sample without customers are guests', and without products their lines name products that are gone.
    """

    customers: int = 300
    malformed_emails: int = 0
    categories: int = 50
    products: int = 200
    variants: int | None = None
    orders: int = 500
    lines: int | None = None

    def __post_init__(self) -> None:
        counts = (self.customers, self.malformed_emails, self.categories, self.products, self.orders)
        if min(counts) < 0 or self.malformed_emails > self.customers:
            raise ValueError("numbers of rows must not be negative, and malformed e-mails not more than customers")
        if self.variants == 0 or self.lines == 0 or (self.variants or 1) < 0 or (self.lines or 1) < 0:
            raise ValueError("a product has at least one variant, and an order at least one line")


DEMO = Scale()
