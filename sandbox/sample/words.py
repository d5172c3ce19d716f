"""Pools of invented names, streets and places for generated resources."""

PEOPLE: tuple[tuple[str, str, str, str], ...] = (
    # first name, last name, and both as they are written in an e-mail address
    ("Anna", "Klein", "anna", "klein"),
    ("Jürgen", "Müller", "juergen", "mueller"),
    ("Zoë", "O'Brien", "zoe", "obrien"),
    ("François", "Lefèvre", "francois", "lefevre"),
    ("Emma", "Smith", "emma", "smith"),
    ("Łukasz", "Wiśniewski", "lukasz", "wisniewski"),
    ("María José", "García-López", "maria.jose", "garcia.lopez"),
    ("Noah", "Johnson", "noah", "johnson"),
    ("Søren", "Ågård", "soren", "aagaard"),
    ("Chloé", "Dubois", "chloe", "dubois"),
    ("Liam", "Brown", "liam", "brown"),
    ("Giulia", "D'Angelo", "giulia", "dangelo"),
    ("Björn", "Åkesson", "bjorn", "akesson"),
    ("Olivia", "van der Berg", "olivia", "vanderberg"),
    ("Gökhan", "Öztürk", "goekhan", "oeztuerk"),
    ("Eva", "Nováková", "eva", "novakova"),
    ("Thảo", "Nguyễn", "thao", "nguyen"),
    ("Jack", "Wilson", "jack", "wilson"),
    ("Sophie", "Weiß", "sophie", "weiss"),
    ("Hugo", "Martin", "hugo", "martin"),
)

UNUSUAL_PEOPLE: tuple[tuple[str, str, str, str], ...] = (
    ("ليلى", "حداد", "layla", "haddad"),
    ("נועם", "לוי", "noam", "levi"),
    ("陽子", "田中", "yoko", "tanaka"),
    ("Mia 🌻", "Sommer 👩‍👩‍👧", "mia", "sommer"),
    ("Robert\u202e", "<b>Tables</b>", "robert", "tables"),
    ('Ann "Annie"', "O\\Neill; DROP", "ann", "oneill"),
    ("e\u0301lodie", "Ze\u0300bre", "elodie", "zebre"),
    ("Wolfeschlegelsteinhausen" * 10, "Bergerdorff-" * 20 + "Senior", "wolf", "berger"),
)

PLACES: dict[str, tuple[tuple[str, str, str], ...]] = {
    # city, postal code, region or state
    "DE": (("Berlin", "10115", ""), ("Köln", "50667", "Nordrhein-Westfalen"), ("München", "80331", "Bayern")),
    "US": (("Springfield", "62701", "IL"), ("Portland", "97205", "OR"), ("Austin", "78701", "TX")),
    "GB": (("London", "SW1A 1AA", ""), ("Leeds", "LS1 1UR", "West Yorkshire"), ("Bristol", "BS1 4ST", "")),
    "FR": (("Paris", "75001", "Île-de-France"), ("Lyon", "69001", ""), ("Saint-Étienne", "42000", "Loire")),
    "AU": (("Sydney", "2000", "NSW"), ("Perth", "6000", "WA"), ("Hobart", "7000", "TAS")),
    "JP": (("東京", "100-0001", "東京都"), ("大阪", "530-0001", "大阪府"), ("札幌", "060-0001", "北海道")),
    "AE": (("دبي", "00000", "دبي"), ("Abu Dhabi", "00000", ""), ("Sharjah", "00000", "")),
}
COUNTRIES = ("DE", "US", "GB", "FR", "AU", "DE", "US", "GB", "JP", "AE")

STREETS = ("Example Street", "Musterstraße", "Rue de l'Exemple", "High Street", "Sample Avenue", "Am Alten Markt")
COMPANIES = ("Example GmbH & Co. KG", "Sample Ltd", "Société Exemple SA", "Muster AG", "Acme Example Inc.")
LOCALES = ("de-DE", "en-US", "en-GB", "fr-FR", "en-AU", "de", "fr-CA", "zh-Hans-CN")
SALUTATIONS = ("Mr.", "Mrs.", "Mx.", "Frau", "Herr")
TITLES = ("Dr.", "Prof. Dr.", "M.Sc.")
MAIL_DOMAINS = ("example.com", "example.org", "example.net")
NOTES = ("", "Prefers parcel shops", "Zahlt auf Rechnung — bitte nicht anrufen", "ملاحظة قصيرة", "line one\nline two")
GARBAGE_PHONES = ("call me maybe", "000", "n/a", "+99 123", "??? 12", "12345678901234567890")
