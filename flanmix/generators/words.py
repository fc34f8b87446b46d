"""Common English words in small letters, for sorting and for letter games."""

_TEXT = """
acorn actor alarm album amber anchor angle apple apron arch arrow artist atlas autumn axle
badge bagel banana banjo bank barn basket beach beacon bean bear beard bed bee bell belt bench berry
bicycle bird biscuit blanket boat bone book boot bottle bowl box branch bread brick bridge broom brother
brush bucket bus butter button
cabbage cabin cactus cake camel candle canoe captain car card carpet carrot castle cat cave cellar
chair chalk cheese cherry chess chicken child church circle circus city clock cloud clown coast coat
coffee coin comb cookie copper coral corn cottage cotton cousin cow crayon cricket crown cup curtain cushion
daisy dance daughter dawn day deer desert desk diamond dinner dish doctor dog dolphin donkey door dragon
drawer dress drum duck dust
eagle ear earth easel east echo egg elbow elephant engine evening eye
fabric falcon family farm father feather fence fern ferry field finger fire fish flag flame flower flute
fog forest fork fox frame friend frog frost fruit
galaxy garage garden gate giant ginger giraffe glass glove goat gold goose grape grass guitar
hammer harbour harp hat hawk hedge helmet hen hill honey horse hotel house hut
ice igloo ink insect iron island ivy
jacket jam jar jelly jewel judge jug juice jungle jury
kettle key king kitchen kite kitten knee knife knot
ladder lake lamb lamp language lantern laundry lawn leaf leather lemon letter library lily lion lizard
lobster lock lunch
magnet map maple marble market mask meadow melon metal milk mill mirror mitten money monkey moon morning
mother motor mountain mouse mouth museum music mustard
napkin nation neck needle neighbour nest night north nose notebook number nurse nut
oak oar oasis ocean office olive onion orange orchard otter oven owl oyster
paddle page paint palace panda paper parade parent park parrot party path peach peanut pebble pencil
penguin pepper piano picnic picture pigeon pillow pilot pine planet plant plate plum pocket poem pond pony
potato pumpkin puppy puzzle
queen question quilt quiz
radio radish railway rain rainbow raven ribbon rice river road robin robot rocket roof room rope
rose ruler
saddle sailor salad salt sand sandal saucer scarf school scissors shadow sheep shelf
shell ship shirt shoe shop shoulder signal silver singer sister sketch sky sled slipper snail snow soap
sock song soup south spade sparrow spider spinach spoon spring square squirrel stairs stamp star
station stone storm story street student sugar summer sun supper sweater
table tailor tea teacher team tent theatre thread thumb thunder ticket tiger timber toast tomato tooth
torch towel tower town tractor train treasure tree triangle trumpet tulip tunnel turtle twig
umbrella uncle uniform
valley van vase velvet village vinegar violet violin voice volcano
wagon waiter wall walnut wave wax weather week west whale wheat wheel whistle willow wind window
winter wolf wood wool word world
yard year yellow yoghurt zone
"""
WORDS: tuple[str, ...] = tuple(_TEXT.split())
