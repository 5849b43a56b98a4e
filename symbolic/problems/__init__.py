"""The problem bank: one problem, one YAML file, any number of variants, each with a proven key.

How to write a problem
======================
A file in ``symbolic/problems/bank/`` (or in a folder given with ``--bank DIR``); its name without ``.yaml`` is the problem's name.
``chainrule new problem FILE.yaml`` writes a commented starter. Nobody types an answer: what is asked for is computed by the
derivation of the spec, proved once for the structure, and compared with central differences for every variant.

    title: One sigmoid neuron            # for lists and keys
    topics: [one neuron, chain rule]
    level: first                         # first, second, advanced (optional)
    digits: 4                            # significant digits of printed answers (default 4)
    zeros: false                         # whether an answer may be zero (default false)
    parameters: ...                      # what differs from variant to variant
    where: [...]                         # comparisons that a draw must satisfy
    active: {z1: [1, 0]}                 # signs of a value's entries: which units are on
    spec: ...                            # the network or equations, exactly the keys of 'chainrule derive'
    text: ...                            # the wording
    ask: [...]                           # one to eight parts

parameters: ``name: space``. A space is a list of choices (numbers ``1/2``, ``0.5``, ``ln(3)``; words such as names of activations;
    whole lists such as ``[[1, 0], [0, 1]]``) or braces with one key:
    ``{integers: [-3, 3], zero: false}`` (or ``except: [1]``), ``{decimals: [0.1, 0.9], step: 0.1}``, ``{fractions: [2, 3], signs: true}``,
    ``{ln: [2, 3]}`` and ``{half_ln: [2, 3]}`` (ln k makes sigmoid and softmax rational, ln(k)/2 makes tanh rational),
    ``{pythagorean: 13}`` (pairs with a whole norm), ``{list: 2, of: SPACE, distinct: true}``, ``{matrix: [rows, columns], of: SPACE}``.
    ``{is: "ln({k}) - {w[0]}*{x[0]}"}`` computes an exact number (or a list of them) from parameters above it: so a bias can put a
    logit at ln k. The number of draws is the product of the spaces; write at least a few hundred, better thousands.
placeholders: ``"{w}"`` alone puts the value in as it is (number, word, list, matrix); within a text it must be one number or word and
    is put in brackets where needed (``"{a}*x"``); ``"{w[0]}"``, ``"{W[0][1]}"`` are entries, counted from 0. Always in quotes. Numbers that
    stand in an equation's text make a structure of its own, which is proved anew (0.1 to 1 s): prefer names under ``at``.
where: ``LEFT SIGN RIGHT`` with < > <= >= == !=; a side is an expression of parameters (``{a} + 1``), or the name of a value or
    gradient (``z1``, ``dL/dW1``, ``abs(z1)``, ``z1[0]``, ``W1[0][1]``), which then holds for every entry. Always checked without being asked
    for: no value at a kink, no saturated activation (slope under 0.002), answers at least 0.0001 in size and not zero, listed mistakes
    at least twice the tolerance away, the same number of steps, operations and active units as in the other variants, and of digits (give or take one).
text: a template. ``{{ x }}`` is a parameter, ``{{ equations }}``, ``{{ numbers }}`` and ``{{ update }}`` display the spec's equations, given numbers and optimizer (each
    in a paragraph of its own), ``{% if f == "tanh" %}...{% endif %}`` works; nothing else of Jinja does. Between backticks stands a formula
    in the language of the spec, over its names: `` `y_hat` ``, `` `dL/dW1` ``, `` `z = w*x + b` ``, `` `x = {{ x }}` ``, `` `a -> b` ``, ``[[1, 2], [3, 4]]``.
    Everything else is plain text and is escaped; there is no TeX.
ask: each part has one of these keys, then ``points`` (or ``marks: {z1: 1, dL/dz1: 2}``, points at the steps of the solution), and if
    wanted ``say`` (the question in words, a template too) and ``mistakes`` (names from ``symbolic.slips.SLIPS``):
    ``find: NAME``            numbers; numeric, vector or matrix by its shape. NAME: a value (``y_hat``, ``z1``, ``L``), a gradient (``dL/dW1``), a
                              Jacobian where the last equation is a vector (``dp/dz``), or after the optimizer's ``steps`` (one without an optimizer) ``W1_new``, ``L_new``.
                              With ``hessian: [x, y]`` (and ``direction: {x: 3, y: 4}``) in the spec also ``hessian``, ``eigenvalues``, ``newton`` (a step of the method),
                              ``slope`` (along the direction at length 1), ``curvature`` (the second derivative along it), ``steepest`` (the length of the gradient).
    ``choose: NAME``          the same as single choice; the wrong options are what real mistakes give (``options: 4`` counts all).
    ``formula: dL/dz1``       a gradient in symbols.      ``choose_formula: dL/dW1``   the same as single choice.
    ``select: [{say: ..., when: "z1[0] > 0", because: ...}, ...]``   multiple choice; the condition decides what is true. One statement
                              alone is true or false.
    ``order: dL/dW1``         the steps back to a gradient, to be put in order (at least three).
    ``error_in: dL/dW1``      a derivation with one mistake; which line is the first wrong one? (``mistakes`` names what is drawn from.)
    ``code: backward``        write this function of what ``chainrule code`` prints; stub, model answer and hidden numbers come from the spec.
    ``gate: y``               which gate a truth table is.     ``separable: y``   whether any perceptron computes it, with weights or a proof.
    ``fate: L``               what gradient descent does on a quadratic in the ``steps`` of the optimizer.     ``rate: last``   the rate of its last step.
    ``judge: dL/dW1``         lines on the way to a gradient, some as a mistake leaves them: which are right?
    ``count: parameters``     also equations, values.     ``shape: dL/dW1``   rows and columns. A spec asked only for these needs no numbers.

Try a file with ``chainrule bank preview NAME --bank DIR`` and test it with ``chainrule bank test NAME --seeds 50``. If draws run out, the
sentence says which condition refused most of them.

The rooms: format (the model of the file), spaces, wording, second (Hessians and directions), stepping (optimizers), worked (proof once, numbers per variant), tolerance,
distractors, variants (walks, conditions, difficulty), solution, kinds, programs, verdicts (one row a kind of question), make (file and seed to question), library (the bank).
"""
