"""Everyday word classes: what can stand in for what in a caption, and which words mean too nearly the same.

The lists are ours. WordNet's co-hyponyms complete them for words that stand in none.
"""

from __future__ import annotations

from functools import cache

from compoclip.language.nouns import DIRECTED, NOUN_CLASSES
from compoclip.language.words import word_set

ADVERB_CLASSES: dict[str, str] = {
    "speed": "quickly slowly",
    "pace": "fast slow",
    "place": "outside inside",
    "doors": "outdoors indoors",
    "level": "upstairs downstairs",
    "way": "up down",
    "height": "high low",
    "together": "together apart",
    "mood": "happily sadly angrily",
    "sound": "loudly quietly",
    "care": "carefully carelessly",
    "order": "neatly messily",
    "front": "forward backward",
    "light": "brightly dimly",
    "part": "fully partially",
}
ADJECTIVE_CLASSES: dict[str, str] = {
    "colour": "red orange yellow green blue purple pink brown black white gray grey cyan magenta teal silver golden "
    "turquoise maroon beige navy lime violet",
    "size": "big small large little tiny huge giant",
    "length": "long short",
    "height": "tall short",
    "width": "wide narrow",
    "age": "old young",
    "newness": "new old",
    "material": "wooden metal plastic glass brick stone concrete leather paper steel wool ceramic cotton rubber",
    "pattern": "striped plaid spotted checkered solid",
    "brightness": "bright dark",
    "wetness": "wet dry",
    "temperature": "hot cold",
    "openness": "open closed",
    "fullness": "full empty",
    "neatness": "clean dirty messy",
    "form": "round square triangular",
    "mood": "happy sad angry",
    "weather": "sunny cloudy rainy snowy",
    "cloud": "cloudy clear",
    "curl": "curly straight",
    "hair": "blond brunette bald",
    "texture": "smooth rough",
    "fashion": "modern antique",
    "hardness": "soft hard",
    "weight": "heavy light",
    "depth": "deep shallow",
    "crowd": "busy quiet crowded deserted",
    "place": "indoor outdoor",
    "kept": "frozen fresh rotten",
    "male": "male female",
    "thickness": "thick thin",
    "side": "left right",
    "row": "front back",
    "top": "top bottom",
    "upper": "upper lower",
}

# Words that may be true of the same thing: never put one in place of another.
SYNONYMS = """
bike bicycle motorbike motorcycle cycle moped scooter
cell_phone cellphone phone telephone smartphone
couch sofa loveseat settee futon
television tv
refrigerator fridge freezer
stove oven range
laptop notebook computer
picture photo photograph image
sea ocean
street road highway avenue
forest woods
cup mug
purse handbag
backpack rucksack knapsack
suitcase luggage baggage
pants trousers jeans slacks
jacket coat
airplane plane aeroplane aircraft jet airliner jetliner
kid child
baby infant
store shop market
city town village
lamp light
donut doughnut
rock stone
big large huge giant enormous massive gigantic great grand
small little tiny mini miniature
old elderly aged
gray grey
purple violet
golden yellow gold
cyan turquoise teal
navy blue
beige tan
metal metallic steel
stone brick concrete
clean neat tidy
dirty messy filthy cluttered untidy
empty deserted
crowded busy
happy smiling
spotted dotted
checkered plaid
cyclist biker
skier snowboarder
fireman firefighter
policeman officer
truck van
hat cap
sand beach
"""
# The first word of a line may be said of the same thing as each of the others, which may differ among themselves.
NEAR_SYNONYMS = """
man guy gentleman male person people adult player rider dude fellow human individual worker someone pedestrian
woman lady female person people adult player rider human individual worker someone pedestrian
girl lady female person people child kid player woman teenager daughter toddler baby
boy guy male person people child kid player man teenager son toddler baby
child kid person people toddler baby infant youngster boy girl
kid person people toddler baby infant youngster boy girl
player man woman boy girl person batter pitcher catcher
couple pair two group
group couple pair crowd
car vehicle automobile taxi cab sedan van
truck vehicle lorry pickup
bus vehicle coach van
vehicle van taxi motorcycle
train locomotive tram subway trolley
boat ship vessel sailboat yacht canoe kayak raft ferry
chair seat stool armchair
bench seat
monitor screen television computer
laptop monitor
toilet commode urinal bathroom
sink bathroom
shower bathroom
mirror bathroom
stove kitchen
street sidewalk pavement asphalt lane driveway city
water ocean sea lake river pond pool wave beach
ocean beach wave
beach shore coast seaside shoreline waterfront
shore ocean sea lake water coast
wave water ocean
grass field lawn yard meadow pasture
field grass meadow pasture lawn hill mountain slope
snow slope hill mountain
hill mountain slope field
mountain hill slope snow
tree forest branch
forest mountain
snow ice
dirt sand mud gravel
kitchen restaurant
dining_room restaurant
shoe boot sneaker sandal
desk table dresser
pot pan
mug glass
jar bottle
ambulance truck van car
football soccer rugby
canoe kayak
sock shoe boot sneaker
pasta salad soup
house home building barn
building tower church skyscraper house store castle wall window door
tower building church clock
plate dish platter tray
bowl dish
glass cup
shirt top tshirt t-shirt jersey sweater
dress gown skirt
dog puppy animal
cat kitten animal
cow bull calf cattle animal ox
horse pony animal mare
sheep lamb ram goat animal
bird pigeon seagull parrot duck goose owl eagle swan chicken animal
elephant animal
giraffe animal
zebra animal
bear animal panda
sandwich burger hamburger hotdog sub
cake dessert pastry pie cupcake
donut pastry dessert
big tall
small short
young little small
pink magenta
maroon red
red orange
teal green blue
lime green
white beige
beige brown yellow
golden brown
silver gray grey white
purple pink violet
yellow orange
wooden wood
sunny bright clear
moon crescent
oval ellipse circle ring
diamond square
rectangle square
cross plus
sit rest
hold carry lift
push carry
walk stand
bag backpack purse suitcase basket box
hand arm
head face
helmet cap hat
pizza pie
baby toddler
vase jar bowl
hotdog hamburger
road slope hill
street slope hill
frisbee disc
building house
hat cap
room kitchen bathroom bedroom office
day morning afternoon
"""
# Things that are not counted: no "a" before them, no plural.
MASS = word_set(
    """
    water snow grass sand ice dirt mud gravel food luggage furniture baggage equipment clothing wood metal
    plastic milk wine beer coffee tea juice bread butter cheese rice pasta meat bacon ham broccoli lettuce
    corn fruit salad air smoke fire traffic paper cloth leather glass steel brick concrete art baseball
    tennis soccer football basketball hockey rugby golf volleyball gear hair fur stuff trash garbage music
    information fog rain sunlight light shade graffiti cake pizza chocolate sugar salt sauce soup chicken
    fish land ground toiletries silverware cutlery jewelry makeup shade mulch hay foliage vegetation
    greenery
    """
)
BOTH_WAYS = word_set(
    """
    paper glass brick cake pizza chicken fish salad soup light fire fruit ground cloth
    """
)
# Adjective and noun that name one thing together.
COLLOCATIONS = word_set(
    """
    hot_dog french_fry polar_bear grizzly_bear brown_bear black_bear high_chair palm_tree remote_control
    orange_juice remote_controller game_controller stuffed_animal stainless_steel
    living_room dining_room swimming_pool parking_lot flat_screen smart_phone
    cellular_phone mobile_phone fast_food sweet_potato mashed_potato still_life front_door double_decker
    wild_animal baked_good christmas_tree toy_bear steel_appliance cross_country little_league ice_cream
    black_tie first_base second_base third_base home_plate big_wheel open_air old_town
    """
)


@cache
def members(part: str) -> dict[str, tuple[str, ...]]:
    """word -> the others of its classes, sorted, for part of speech "n", "a" or "r"."""
    classes = {"n": NOUN_CLASSES, "a": ADJECTIVE_CLASSES, "r": ADVERB_CLASSES}[part]
    found: dict[str, set[str]] = {}
    for text in classes.values():
        words = {word.replace("_", " ") for word in text.split()}
        for word in words:
            found.setdefault(word, set()).update(words - {word})
    if part == "n":
        for word, text in DIRECTED.items():
            found.setdefault(word, set()).update(text.split())
    return {word: tuple(sorted(others - near_synonyms(word))) for word, others in found.items()}


@cache
def _groups() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in SYNONYMS.strip().splitlines():
        group = {word.replace("_", " ") for word in line.split()}
        for word in group:
            found.setdefault(word, set()).update(group - {word})
    for line in NEAR_SYNONYMS.strip().splitlines():
        first, *others = (word.replace("_", " ") for word in line.split())
        found.setdefault(first, set()).update(others)
        for other in others:
            found.setdefault(other, set()).add(first)
    return {word: frozenset(others) for word, others in found.items()}


def near_synonyms(word: str) -> frozenset[str]:
    """Words that can be said of the same thing as this lemma."""
    return _groups().get(word, frozenset())
