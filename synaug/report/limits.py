"""How much a report shows at most: figures of a page, labels, rows and panels of a figure, rows of a table."""

LARGE = 300  # runs: of more, fewer figures are drawn, lest the report take minutes

# Of the figure on the first screen.
ANSWER_LINES = 13
ANSWER_SCENARIOS = 18  # lines, which are tighter
ANSWER_LETTERS = 24  # of a name, in one line
ANSWER_BARS = 380  # pixels, of all bars of a row for each outcome
ANSWER_PITCH = 9  # pixels from one of them to the next, at most

# Figures of a page.
METRICS_DRAWN = 4  # the tables have all
GAINS_FIGURES = 3
FOREST_FIGURES = 6
EXAMPLES = 4  # data sets whose classes, probabilities and training are drawn

# Labels, rows and panels of one figure.
GAINS_COLUMNS = 18
GAINS_ROWS = 30
FOREST_ROWS = 50
RANKED_METHODS = 30
LINE_PANELS = 6  # scores and gains against a ratio or a setting
RATIO_AUGMENTERS = 10
CURVE_AUGMENTERS = 6  # of training curves and reliability diagrams
RECALL_CLASSES = 24
RECALL_METHODS = 16
MINORITY_PANELS = 6  # classes whose precision or cost is drawn
CONFUSION_LABELS = 30  # classes: of more, the axes name none
CONFUSION_NUMBERS = 10  # classes: of more, the cells hold none

# Maps of a page, those drawn last.
MAPS = 8
MAPS_BYTES = 6_000_000  # together

# What was asked of decisions: lines on the console, and of each table of the page.
NEEDS_SAID = 24
NEEDS_LINES = 300

# Examples of synthetic rows.
EXPLAINED_METHODS = 20  # of a scenario
EXPLAINED_ROWS = 12  # of a method
EXPLAINED_LINES = 1_500  # of a page: of many scenarios, each method has fewer
EXPLAINED_TEXT, EXPLAINED_CLASS = 160, 40  # letters

# Of the tables by scenario.
SCENARIO_TABLES = 40
SCENARIO_LINES = 60  # of a group
GEOMETRY_ROWS = 200
AUDITED_METHODS = 14  # of a figure

# Rows of the page's tables, and lines of its lists.
COMPARISONS = 60_000
BALANCE_ROWS = 4_000
COMMANDS = 200
WARNINGS = 20
VALUES_OF_A_FACT = 12
CLASSES_WITH_COUNTS = 20
NAMES_IN_A_SENTENCE = 8

# One LaTeX table.
LATEX_COLUMNS = 6
LATEX_ROWS = 40
