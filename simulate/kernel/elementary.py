"""Exponential and logarithm of a lane vector: branch-free polynomials, within 2 units in the last place."""

import math

from .simd import ROUNDER, compiled, exponent_of, fma, larger, smaller, splat, times_power_of_two

#: ln 2 in two parts, so that n LN2_HIGH is exact for every exponent n.
LN2_HIGH = 0.693147180369123816490
LN2_LOW = 1.90821492927058770002e-10
LOG2_E = 1.0 / math.log(2.0)
SQRT_2 = math.sqrt(2.0)
#: Largest and smallest arguments whose exponential is a normal number; beyond them the argument is clipped.
EXP_MAX, EXP_MIN = 709.0, -708.0

# Interpolation of e^x at the Chebyshev nodes of |x| <= ln(2)/2: relative error 4e-18, so that rounding alone remains.
E2, E3, E4, E5 = 0.5000000000000019, 0.1666666666666668, 0.0416666666664881, 0.008333333333319601
E6, E7, E8 = 0.0013888888952314775, 0.00019841269890047113, 2.4801485482328494e-05
E9, E10, E11 = 2.755724091857897e-06, 2.763263963904103e-07, 2.5110037605963777e-08
# The same of 2^x, |x| <= 1/2: 2e-17 with rounded coefficients.
B1, B2, B3, B4 = 0.6931471805599453, 0.24022650695910097, 0.0555041086648216, 0.009618129107606888
B5, B6, B7 = 0.0013333558146416936, 0.0001540353044173605, 1.525273382983612e-05
B8, B9, B10, B11 = 1.321544258792169e-06, 1.0178062445845774e-07, 7.072585949269223e-09, 4.4549605981865186e-10

# 1/k, the series of artanh.
L3, L5, L7, L9, L11, L13, L15, L17, L19, L21, L23 = (1.0 / k for k in range(3, 24, 2))


@compiled()
def _polynomial(x, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10):
    """Σ_k c_k x^k by Estrin's scheme: two products more than by Horner's, but four steps in a row instead of ten."""
    x2 = x * x
    x4 = x2 * x2
    low = fma(fma(x, splat(c3), splat(c2)), x2, fma(x, splat(c1), splat(c0)))
    middle = fma(fma(x, splat(c7), splat(c6)), x2, fma(x, splat(c5), splat(c4)))
    high = fma(x2, splat(c10), fma(x, splat(c9), splat(c8)))
    return fma(fma(high, x4, middle), x4, low)


@compiled()
def exp(x):
    """e^x, clipped to where it is a normal number."""
    return exp_within(smaller(larger(x, splat(EXP_MIN)), splat(EXP_MAX)))


@compiled()
def exp_within(x):
    """e^x = 2^n e^r with n = ⌊x/ln 2⌉ and |r| <= ln(2)/2, for arguments that are known not to need the clip."""
    shifted = fma(x, splat(LOG2_E), splat(ROUNDER))
    n = shifted - ROUNDER
    r = fma(n, splat(-LN2_LOW), fma(n, splat(-LN2_HIGH), x))
    p = _polynomial(r, 1.0, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11)
    return times_power_of_two(fma(p, r, splat(1.0)), shifted)


@compiled()
def exp2_within(x):
    """2^x for x in [−1021, 1022]: what is left after the nearest integer is exact, and no unit has to be changed."""
    shifted = x + ROUNDER
    r = x - (shifted - ROUNDER)
    p = _polynomial(r, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11)
    return times_power_of_two(fma(p, r, splat(1.0)), shifted)


@compiled()
def log(x):
    """ln x = e ln 2 + 2 artanh(s), s = (m − 1)/(m + 1), with x = 2^e m and m in [1/√2, √2); x positive and normal."""
    e = exponent_of(x * SQRT_2)
    m = times_power_of_two(x, ROUNDER - e)
    s = (m - 1.0) / (m + 1.0)
    z = s * s  # <= 0.0295, so that twelve terms leave 5e-20
    p = fma(_polynomial(z, L3, L5, L7, L9, L11, L13, L15, L17, L19, L21, L23) * z, s, s)
    return fma(e, splat(LN2_HIGH), fma(e, splat(LN2_LOW), p * 2.0))
