"""What everyday things are called, by the numbers of the ImageNet classes that show them.

ImageNet's classes are finer than an artist's words, and a network confuses neighbours: a mug with a cup, one
breed of dogs with another. Classes that are in no group here (parts of things, scenery, what hardly anyone
has in a photo) give no name, but what a network believes of them counts against every name.
"""

from collections.abc import Mapping

EVERYDAY_THINGS: Mapping[str, tuple[int, ...]] = {
    # Crockery and the kitchen
    "Cup": (504, 967, 968),  # coffee mug, espresso, cup
    "Teapot": (849,),
    "Coffee Pot": (505,),
    "Bottle": (440, 737, 898, 907),  # beer, pop, water, wine
    "Glass": (441, 572, 966),  # beer glass, goblet, red wine
    "Jug": (725, 899, 901),  # pitcher, water jug, whiskey jug
    "Bowl": (659, 809),  # mixing bowl, soup bowl
    "Plate": (923,),
    "Pan": (567, 909),  # frying pan, wok
    "Pot": (521, 544),  # Crock Pot, Dutch oven
    "Spoon": (618, 910),  # ladle, wooden spoon
    "Toaster": (859,),
    "Microwave": (651,),
    "Coffee Maker": (550,),
    "Refrigerator": (760,),
    "Stove": (827,),
    "Washing Machine": (897,),
    # Furniture and the house
    "Chair": (423, 559, 765, 857),  # barber chair, folding chair, rocking chair, throne
    "Sofa": (831,),
    "Bench": (703,),
    "Table": (526, 532),  # desk, dining table
    "Bed": (564,),
    "Cabinet": (493, 495, 553, 894),  # chiffonier, china cabinet, file, wardrobe
    "Chest": (492,),
    "Bookcase": (453,),
    "Lamp": (619, 846),  # lampshade, table lamp
    "Vase": (883,),
    "Flower Pot": (738,),
    "Candle": (470,),
    "Clock": (409, 530, 892),  # analog, digital, wall clock
    "Bucket": (463,),
    "Basket": (588, 790),  # hamper, shopping basket
    "Barrel": (427, 756),  # barrel, rain barrel
    "Crate": (519,),
    "Box": (478,),
    "Umbrella": (879,),
    "Fan": (545,),
    "Vacuum Cleaner": (882,),
    "Iron": (606,),
    "Sewing Machine": (786,),
    # Devices
    "Laptop": (620, 681),  # laptop, notebook
    "Keyboard": (508,),
    "Computer Mouse": (673,),
    "Screen": (664, 782, 851),  # monitor, screen, television
    "Phone": (487, 528),  # cellular, dial
    "Camera": (732, 759),  # Polaroid, reflex
    "Loudspeaker": (632,),
    "Radio": (754,),
    "Printer": (742,),
    "Remote Control": (761,),
    "Microphone": (650,),
    "Typewriter": (878,),
    # Clothes and what is carried
    "Shoe": (502, 514, 630, 770, 774),  # clog, cowboy boot, Loafer, running shoe, sandal
    "Hat": (515, 808),  # cowboy hat, sombrero
    "Helmet": (518, 560),  # crash helmet, football helmet
    "Backpack": (414,),
    "Bag": (636, 748),  # mailbag, purse
    "Sunglasses": (836, 837),
    "Watch": (531,),
    # Music, sports and play
    "Guitar": (402, 546),
    "Piano": (579, 881),
    "Violin": (889,),
    "Drum": (541,),
    "Saxophone": (776,),
    "Accordion": (401,),
    "Ball": (429, 430, 522, 574, 722, 768, 805, 852, 890),
    "Dumbbell": (422, 543),
    "Racket": (752,),
    "Teddy Bear": (850,),
    "Piggy Bank": (719,),
    # Tools
    "Hammer": (587,),
    "Screwdriver": (784,),
    "Drill": (740,),
    "Axe": (596,),
    "Shovel": (792,),
    "Padlock": (695,),
    "Binoculars": (447,),
    # Vehicles and the street
    "Car": (436, 468, 511, 609, 627, 656, 661, 751, 817),
    "Van": (407, 734),  # ambulance, police van
    "Bus": (654, 779, 874),  # minibus, school bus, trolleybus
    "Truck": (555, 569, 675, 717, 864, 867),
    "Tractor": (866,),
    "Motorcycle": (665, 670),  # moped, motor scooter
    "Bicycle": (444, 671),
    "Tricycle": (870,),
    "Train": (466, 547, 820),
    "Tram": (829,),
    "Airplane": (404, 895),
    "Boat": (472, 484, 554, 576, 625, 780, 814, 871, 914),
    "Ship": (403, 510, 628),
    "Traffic Light": (920,),
    "Mailbox": (637,),
    "Parking Meter": (704,),
    "Fountain": (562,),
    # Animals
    "Dog": tuple(range(151, 269)),
    "Cat": tuple(range(281, 286)),
    "Bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "Horse": (339,),
    "Cow": (345,),
    "Sheep": (348,),
    "Rabbit": (330, 331, 332),
    "Elephant": (101, 385, 386),
    "Zebra": (340,),
    "Bear": (294, 295, 296, 297),
    "Butterfly": tuple(range(321, 327)),
    # Food
    "Apple": (948,),
    "Banana": (954,),
    "Orange": (950,),
    "Lemon": (951,),
    "Strawberry": (949,),
    "Pineapple": (953,),
    "Pomegranate": (957,),
    "Bell Pepper": (945,),
    "Cucumber": (943,),
    "Broccoli": (937,),
    "Cauliflower": (938,),
    "Mushroom": (947,),
    "Pizza": (963,),
    "Burger": (933,),
    "Bread": (930,),
}
"""Numbers from 0, in the order of ImageNet's challenge (ILSVRC 2012); a class is in one group at most."""
