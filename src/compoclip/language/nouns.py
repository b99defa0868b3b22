"""Everyday classes of nouns: what can stand in for what in a caption. The lists are ours."""

from __future__ import annotations

from compoclip.language.words import word_set

NOUN_CLASSES: dict[str, str] = {
    "shape": "square circle triangle star heart diamond cross ring hexagon pentagon crescent rectangle oval arrow moon "
    "octagon cube sphere cylinder cone pyramid ellipse trapezoid",
    "adult": "man woman",
    "young": "boy girl baby toddler",
    "group": "man woman child boy girl",
    "profession": "chef policeman fireman soldier waiter farmer nurse pilot dancer musician",
    "sportsman": "surfer skier snowboarder skateboarder cyclist swimmer climber golfer",
    "pet": "dog cat rabbit hamster parrot bird monkey",
    "cub": "kitten puppy lamb calf",
    "farm": "horse cow sheep goat pig donkey chicken duck",
    "wild": "elephant giraffe zebra bear lion tiger monkey deer wolf camel kangaroo rhino fox panda",
    "bird": "duck goose pigeon seagull owl eagle parrot swan chicken",
    "road": "car truck bus motorcycle bicycle taxi van scooter ambulance",
    "transport": "train airplane boat ship helicopter tram bus",
    "boat": "canoe kayak sailboat ferry ship raft",
    "board": "surfboard skateboard snowboard wakeboard",
    "play": "frisbee kite ball bat racket balloon",
    "sport": "baseball tennis soccer basketball football golf volleyball hockey rugby",
    "furniture": "table bed desk dresser chair bench couch sofa bookcase",
    "seat": "chair bench couch stool",
    "dish": "bowl cup glass jar pot pan mug bottle box basket",
    "flat_dish": "plate pan",
    "pour": "vase basket box",
    "cutlery": "fork knife spoon",
    "fruit": "apple banana orange pear strawberry grape lemon pineapple watermelon peach",
    "vegetable": "broccoli carrot tomato potato onion cucumber lettuce mushroom",
    "meal": "pizza sandwich burger salad pasta cake donut pie hotdog",
    "drink": "coffee tea beer wine milk juice",
    "top": "shirt dress robe",
    "outer": "jacket dress robe",
    "bottom": "pants shorts jeans skirt",
    "worn": "hat scarf tie helmet",
    "bag": "backpack suitcase purse basket box",
    "paper": "book newspaper magazine letter map",
    "lake": "river pool",
    "surface": "snow grass ice dirt sand water",
    "land": "beach forest desert mountain field",
    "built": "house church barn castle tower bridge skyscraper",
    "room": "kitchen bathroom bedroom office garage hallway living_room dining_room restaurant store library museum",
    "opening": "window door",
    "plant": "tree statue tower tent",
    "flower": "flower balloon",
    "street": "mailbox clock statue fountain hydrant",
    "sign": "sign statue clock painting fountain",
    "clock": "clock painting statue television",
    "way": "street field beach road slope",
    "worn_on_feet": "shoe boot sandal sneaker sock",
    "panel": "wall fence",
    "cloth": "towel blanket curtain pillow",
    "garment": "dress suit robe apron",
}

# One way only: the first may give way to these, not these to the first.
DIRECTED_LINES = """
person chef soldier dancer farmer nurse musician fireman policeman pilot
stuffed_animal car truck boat
adult child baby dog
plate pan bowl basket
player chef soldier dog
guy woman girl dog child
lady man boy dog child
kid man woman dog
bike skateboard horse bus truck
plane train boat helicopter bus
jet train boat helicopter bus
jetliner train boat helicopter bus
toilet chair couch bed bench stove refrigerator
sink bed couch television bench
bathtub bed couch desk bench
tub bed couch desk bench
urinal bench television bookcase
mirror television clock painting
stove bathtub bed television couch
oven bathtub bed television couch
refrigerator bathtub bed television couch
fridge bathtub bed television couch
microwave television radio clock computer
toaster radio clock television
dishwasher bathtub bed couch
blender radio clock lamp
toothbrush spoon banana fork phone
laptop camera book phone television
television clock painting computer
tv clock painting computer
computer television book painting
keyboard book camera radio
monitor painting book camera
phone book banana cup
cellphone book banana cup
camera book banana cup
remote phone camera book cup
controller phone camera book cup
umbrella balloon kite flag
racquet frisbee bat kite
cap scarf tie
glove hat scarf tie
counter bed couch chair bench
floor bed couch table bench
carpet bed couch table bench
court beach street bridge
intersection beach farm bridge
city forest desert jungle farm
rock log car bench boat
log car bench boat rock
park museum desert store garage
garden museum desert kitchen garage
airport zoo farm museum
station airport farm zoo beach
runway beach highway bridge
tarmac beach bridge slope
branch fence rock bench car
building bridge ship tent
room boat garden forest cave tent
ramp bridge beach roof
hillside street beach bridge
hill street beach bridge
sidewalk beach bridge field
highway beach bridge field
curb beach bench roof
flag kite balloon umbrella
cage boat car box garage
candle strawberry flower balloon
egg carrot apple tomato
market museum garage library
doughnut pizza sandwich burger apple
hamburger pizza donut salad
hotdog pizza donut salad
cookie banana apple pizza
cupcake pizza sandwich apple
pasture street beach
pen barn truck kitchen
enclosure kitchen street boat
zoo kitchen street beach
pier bridge farm beach
dock bridge farm beach
yard street beach kitchen
cart truck boat sled
hydrant mailbox bench statue
lamp clock statue painting
box basket suitcase
basket box suitcase
tie scarf necklace hat
stool desk table couch
rug table bed couch
pond street field
shelf table bed bench
ocean river pool desert
lake pool street desert
river street field
bush bench car statue
uniform dress robe apron
suit dress robe apron
coat dress robe apron
vest dress robe apron
sweater dress robe apron
wetsuit dress robe apron
costume dress robe apron
rider dog cat
batter chef soldier dog
pitcher chef soldier dog
catcher chef soldier dog
mountain beach bridge tower
moon kite airplane
sun kite airplane
hand foot mouth
foot hand
head leg foot
shoulder head leg
mouth ear nose
nose ear mouth
ear nose mouth
baby man woman dog cat
toddler man woman dog cat
infant man woman dog cat
cattle horse elephant zebra
rooster horse cow dog cat
buffalo horse elephant zebra
aircraft train boat bus
gentleman woman girl dog
worker dog horse
umpire dog chef soldier
skater surfer skier
motorcyclist surfer skier
hot_dog pizza sandwich salad donut
soup pizza sandwich salad cake
waffle pizza sandwich salad
pancake pizza sandwich salad
wagon boat bus truck
trolley boat airplane truck
cabinet table bed bench couch
photographer chef soldier
pedestrian dog horse cow
athlete dog chef soldier
bicyclist surfer skier
driver dog chef
grandmother man child
male woman child
female man child
shrub bench car statue
gate bench car
stone car bench boat
pickup bus motorcycle bicycle
biplane train boat bus
airliner train boat bus
tractor boat bus train
"""
DIRECTED: dict[str, str] = {
    first.replace("_", " "): " ".join(others)
    for first, *others in (line.split() for line in DIRECTED_LINES.strip().splitlines())
}

# Left as they are: they say how, how much or of what sort; or what stands in their place makes no sense or no odds.
NOT_REPLACED = word_set(
    """
    sky ground water food wave track light ski pole trick view item seat scene fire vehicle meat hair cheese furniture
    container photo line plant drink passenger crowd appliance face paper leaf toy stop rail post fry trunk family
    swing veggie vegetable fruit place traffic dessert riding smoke back frame bun surface sheet wood buggy rain art
    display match bite arrangement produce base step look lay control sitting hay package supply section event playing
    equipment bunch spot pitch ride graze ledge slice space fixture signal walk paint cut gear noodle artwork wild
    direction rack wire stick cloth can group structure topping cycle range shape engine cream object roll beverage
    blind word condiment set trash stoplight piece lap tool maker holder wing parking tail pile block standing skiing
    posing kneeling spread show dark fly individual luggage glasses scissors image photograph picture selfie reflection
    game jump shot green teddy brush meal stand bar carriage countryside dish style shade sunset pair team country
    town meter mouse pastry tile sauce trail walkway shore platter painting decoration crosswalk bread rice afternoon
    corn bacon fish beef ham sausage wii web number time street_scene half air people area way surfing tv_screen finger
    mane terminal hold couple eye breed heat son mother father daughter board balance side path good home license
    """
)
