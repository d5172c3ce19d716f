"""Pools of invented product names, brands and category names."""

CATEGORY_NAMES: tuple[tuple[str, str, str], ...] = (
    ("Women", "Damen", "Femmes"),
    ("Men", "Herren", "Hommes"),
    ("Home & Garden", "Haus & Garten", "Maison & jardin"),
    ("Kids", "Kinder", "Enfants"),
    ("Sale %", "Angebote %", "Soldes %"),
    ("Shoes", "Schuhe", "Chaussures"),
    ("Trousers", "Hosen", "Pantalons"),
    ("Dresses", "Kleider", "Robes"),
    ("Jackets", "Jacken", "Vestes"),
    ("Kitchen", "Küche", "Cuisine"),
    ("Lighting 💡", "Leuchten 💡", "Luminaires 💡"),
    ("Furniture", "Möbel", "Meubles"),
    ("Toys", "Spielzeug", "Jouets"),
    ("Bags > Backpacks", "Taschen > Rucksäcke", "Sacs > Sacs à dos"),
    ("T-Shirts", "T-Shirts", "T-shirts"),
    ("Jeans", "Jeans", "Jeans"),
    ("Hats", "Hüte", "Chapeaux"),
    ("Socks", "Socken", "Chaussettes"),
    ("Lamps", "Lampen", "Lampes"),
    ("Tables", "Tische", "Tables"),
    ("Chairs", "Stühle", "Chaises"),
    ("Pots & Pans", "Töpfe & Pfannen", "Casseroles et poêles"),
    ("Books", "Bücher", "Livres"),
)

ADJECTIVES: tuple[tuple[str, str, str], ...] = (
    ("Light", "Leichte", "Léger"),
    ("Classic", "Klassische", "Classique"),
    ("Blue", "Blaue", "Bleu"),
    ("Organic", "Bio-", "Bio"),
    ("Waterproof", "Wasserfeste", "Imperméable"),
    ("Little", "Kleine", "Petit"),
    ("Grand", "Große", "Grand"),
)
NOUNS: tuple[tuple[str, str, str], ...] = (
    ("Jacket", "Jacke", "veste"),
    ("Lamp", "Lampe", "lampe"),
    ("Backpack", "Rucksack", "sac à dos"),
    ("Chair", "Stuhl", "chaise"),
    ("Teapot", "Teekanne", "théière"),
    ("Sweater", "Pullover", "pull-over"),
    ("Notebook", "Notizbuch", "carnet"),
    ("Sneakers", "Turnschuhe", "baskets"),
    ("Scarf", "Schal", "écharpe"),
    ("Blanket", "Decke", "couverture"),
    ("Watch", "Uhr", "montre"),
)
UNUSUAL_NAMES: tuple[dict[str, str], ...] = (
    {"en": "<b>Bold</b> &amp; Brave <script>alert(1)</script>", "de": "<i>Kursiv</i>"},
    {"en": "Sunflower 🌻 Shirt 👩‍👩‍👧", "de": "Sonnenblume 🌻"},
    {"ar": "حقيبة جلدية", "he": "תיק עור", "en": "Leather bag \u202eesrever\u202c"},
    {"en": "Quote \"' \\ backslash {{productSlug}} %7B", "fr": "Guillemets « » …"},
    {"de-AT": "Paradeiser-Schäler", "de": "Tomatenschäler", "en-GB": "Tomato peeler"},
    {"en": "Long name " * 40, "de": "Donaudampfschifffahrtsgesellschaftskapitän " * 12},
)
DESCRIPTIONS: tuple[dict[str, str], ...] = (
    {"en": "Made to last.", "de": "Gemacht, um zu bleiben.", "fr": "Fait pour durer."},
    {"en": "<p>Soft &amp; warm.</p>\n<ul><li>Machine wash</li></ul>", "de": "<p>Weich und warm.</p>"},
    {"en": "", "de": "Nur auf Deutsch beschrieben 🙂"},
    {"en": "One size fits most; see the chart."},
)
BRANDS = ("Example & Sons", "Muster", "Acme Example", "Société Exemple", "Örnek")
COLORS: tuple[tuple[str, dict[str, str]], ...] = (
    ("red", {"en": "Red", "de": "Rot", "fr": "Rouge"}),
    ("navy-blue", {"en": "Navy blue", "de": "Marineblau"}),
    ("green", {"en": "Green", "de": "Grün", "fr": "Vert"}),
    ("black", {"de": "Schwarz"}),
)
SIZES: tuple[tuple[str, str], ...] = (("s", "S"), ("m", "M"), ("l", "L"), ("xl", "XL"))
MATERIALS: tuple[dict[str, str], ...] = (
    {"en": "Cotton", "de": "Baumwolle"},
    {"en": "Wool", "de": "Wolle", "fr": "Laine"},
    {"fr": "Lin"},
)
