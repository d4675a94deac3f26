import Labeling
