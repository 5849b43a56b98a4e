"""The commented starter that ``chainrule new problem`` writes.

>>> from .format import read_text
>>> read_text(STARTER, "starter.yaml").title
'Slope of a neuron'
"""

from .format import KINDS

STARTER = '''\
# A problem of the bank. Nobody types an answer here: the key follows from the spec.
# Try it:  chainrule bank preview NAME --bank FOLDER      Check it:  chainrule bank test NAME --bank FOLDER --seeds 50
title: Slope of a neuron
topics: [one neuron, chain rule]
level: first                                   # first, second or advanced

# What differs from student to student. A list is a choice; other spaces:
#   {integers: [-3, 3], zero: false}   {decimals: [0.1, 0.9], step: 0.1}   {fractions: [2, 3]}
#   {ln: [2, 3, 4]}  {half_ln: [2, 3]}  {pythagorean: 13}
#   {list: 2, of: {integers: [1, 4]}, distinct: true}   {matrix: [2, 2], of: [-1, 1]}
# {is: ...} computes a number from those above, exactly.
parameters:
  x: {integers: [-3, 3], zero: false}
  w: {integers: [-3, 3], zero: false}
  k: [2, 3, 4, 1/2, 1/3]
  b: {is: "ln({k}) - {w}*{x}"}                 # then z = ln k, and the sigmoid is a fraction
  y: [0, 1]

# Comparisons that every draw must satisfy: of parameters, and of any value or gradient (every entry).
where: ["{w} != {x}", "abs(z1) <= 4"]
# active: {z1: [1, 0]}                         # which units are on (1) and off (0)

# The network or the equations, just as for 'chainrule derive'; {name} puts a parameter in.
spec:
  inputs: {x: ["{x}"]}
  targets: {y: ["{y}"]}
  layers:
    - {activation: sigmoid, W: [["{w}"]], b: ["{b}"]}
  loss: half_squared_error

# The question. {{ equations }} and {{ numbers }} show the spec, {{ x }} a parameter; `formulas` stand between backticks.
text: |
  A neuron has the input `x = {{ x }}`:

  {{ equations }}

  {{ numbers }}

# What is asked, one of: {kinds}.
# points, or marks: points for each step. mistakes: the wrong answers to list (without it the simplest ones).
ask:
  - {find: y_hat, points: 1}
  - {find: dL/dW1, marks: {dL/da1: 1, dL/dz1: 2, dL/dW1: 1}, mistakes: [output-slope, sign]}
'''.replace("{kinds}", ", ".join(KINDS))
