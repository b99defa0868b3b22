"""Everyday word classes: what can stand in for what in a caption, and which words mean too nearly the same.

The lists are ours. WordNet's co-hyponyms complete them for words that stand in none.
"""

from __future__ import annotations

from functools import cache

NOUN_CLASSES: dict[str, str] = {
    "shape": "square circle triangle star heart diamond cross ring hexagon pentagon crescent rectangle oval arrow moon "
    "octagon cube sphere cylinder cone pyramid ellipse trapezoid",
    "adult": "man woman",
    "young": "boy girl baby toddler",
    "group": "man woman child boy girl",
    "profession": "chef policeman fireman soldier surfer skier snowboarder skateboarder cyclist waiter farmer nurse "
    "clown pilot dancer musician singer swimmer climber golfer",
    "pet": "dog cat rabbit hamster parrot",
    "farm": "horse cow sheep goat pig donkey chicken duck",
    "wild": "elephant giraffe zebra bear lion tiger monkey deer wolf camel kangaroo rhino fox panda",
    "bird": "duck goose pigeon seagull owl eagle parrot swan chicken",
    "road": "car truck bus motorcycle bicycle taxi van scooter ambulance",
    "transport": "train airplane boat ship helicopter tram bus",
    "boat": "canoe kayak sailboat ferry ship raft",
    "board": "surfboard skateboard snowboard wakeboard",
    "play": "frisbee kite ball bat racket balloon rope",
    "sport": "baseball tennis soccer basketball football golf volleyball hockey rugby",
    "seat": "chair bench couch sofa stool",
    "furniture": "table bed desk dresser shelf cabinet bookcase",
    "bathroom": "toilet sink bathtub shower mirror",
    "kitchen": "stove oven refrigerator microwave toaster dishwasher blender",
    "dish": "plate bowl cup glass mug bottle jar pan pot",
    "cutlery": "fork knife spoon chopsticks",
    "fruit": "apple banana orange pear strawberry grape lemon pineapple watermelon peach",
    "vegetable": "broccoli carrot tomato potato onion cucumber pepper lettuce mushroom",
    "meal": "pizza sandwich burger salad soup pasta cake donut sandwich pie hotdog",
    "drink": "coffee tea beer wine milk juice water",
    "top": "shirt jacket coat sweater vest hoodie",
    "bottom": "pants shorts jeans skirt",
    "worn": "hat helmet cap scarf tie glove",
    "bag": "backpack suitcase purse basket box",
    "device": "laptop phone television camera keyboard computer monitor radio",
    "paper": "book newspaper magazine letter map",
    "sky": "cloud moon sun rainbow",
    "water": "ocean lake river pool pond",
    "ground": "grass sand snow mud dirt gravel",
    "land": "beach forest desert mountain hill field meadow",
    "built": "house church barn castle tower bridge skyscraper",
    "room": "kitchen bathroom bedroom office garage hallway",
    "street": "street sidewalk highway alley driveway",
    "opening": "window door gate",
    "plant": "tree flower bush cactus fern",
    "sign": "sign clock statue fountain hydrant mailbox",
    "limb": "arm leg hand foot head shoulder",
    "time": "morning evening night afternoon",
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
    "form": "round square rectangular triangular",
    "mood": "happy sad angry",
    "weather": "sunny cloudy rainy snowy",
    "hair": "blond brunette bald",
    "texture": "smooth rough fluffy furry",
    "fashion": "modern antique",
    "hardness": "soft hard",
    "weight": "heavy light",
    "depth": "deep shallow",
    "crowd": "busy quiet crowded empty deserted",
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
NEAR_SYNONYMS = """
man guy gentleman male person people adult player rider dude fellow human individual worker someone pedestrian
woman lady female person people adult player rider human individual worker someone pedestrian
girl lady female person people child kid player woman teenager daughter toddler baby
boy guy male person people child kid player man teenager son toddler baby
child kid person people toddler baby infant youngster boy girl
children kids people
baby toddler infant child kid
couple pair two
bike bicycle motorcycle motorbike cycle
car vehicle automobile taxi cab sedan van
truck vehicle lorry pickup van
bus vehicle coach
train locomotive tram subway trolley
plane airplane aircraft jet airliner jetliner
boat ship vessel sailboat yacht canoe kayak raft ferry
couch sofa loveseat settee seat
chair seat stool armchair
bench seat
television tv screen monitor set
refrigerator fridge freezer
stove oven range cooker
toilet commode urinal
cell phone cellphone telephone smartphone mobile
laptop computer notebook
road street highway pavement asphalt lane driveway
picture photo photograph image painting
sea ocean water beach wave
lake water pond river pool
grass field lawn yard meadow pasture
hill mountain slope
house home building
building tower church skyscraper house store
store shop market
cup mug glass
plate dish platter tray
bowl dish
hat cap helmet
shirt top tshirt t-shirt jersey
jacket coat
pants jeans trousers
dress gown
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
donut doughnut pastry
big large huge giant enormous massive
small little tiny mini miniature short
old elderly antique vintage aged
young little small
gray grey silver
purple violet
golden yellow gold
navy blue
cyan turquoise teal blue
teal green
lime green
pink magenta
maroon red
beige tan brown
wooden wood
metal metallic steel iron
stone brick concrete rock
clean neat tidy
dirty messy filthy
sunny bright
happy smiling
empty deserted
street sidewalk road
forest woods tree
sand beach
moon crescent
oval ellipse circle ring
diamond square
rectangle square
cross plus
bag backpack purse suitcase
hand arm
"""


@cache
def members(part: str) -> dict[str, tuple[str, ...]]:
    """word -> the others of its classes, sorted, for part of speech "n" or "a"."""
    classes = NOUN_CLASSES if part == "n" else ADJECTIVE_CLASSES
    found: dict[str, set[str]] = {}
    for text in classes.values():
        words = set(text.split())
        for word in words:
            found.setdefault(word, set()).update(words - {word})
    return {word: tuple(sorted(others - near_synonyms(word))) for word, others in found.items()}


@cache
def _groups() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in NEAR_SYNONYMS.strip().splitlines():
        first, *others = line.split()
        found.setdefault(first, set()).update(others)
        for other in others:
            found.setdefault(other, set()).add(first)
    return {word: frozenset(others) for word, others in found.items()}


def near_synonyms(word: str) -> frozenset[str]:
    """Words that can be said of the same thing as this lemma."""
    return _groups().get(word, frozenset())
