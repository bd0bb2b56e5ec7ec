"""Exponential and logarithm of a lane vector: branch-free polynomials, within 2 units in the last place."""

import math

from .simd import compiled, exponent_of, fma, larger, nearest, power_of_two, smaller, splat

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


@compiled()
def exp(x):
    """e^x, clipped to where it is a normal number."""
    return exp_within(smaller(larger(x, splat(EXP_MIN)), splat(EXP_MAX)))


@compiled()
def exp_within(x):
    """e^x = 2^n e^r with n = ⌊x/ln 2⌉ and |r| <= ln(2)/2, for arguments that are known not to need the clip."""
    n = nearest(x * LOG2_E)
    r = fma(n, splat(-LN2_LOW), fma(n, splat(-LN2_HIGH), x))
    p = fma(r, splat(E11), splat(E10))
    p = fma(p, r, splat(E9))
    p = fma(p, r, splat(E8))
    p = fma(p, r, splat(E7))
    p = fma(p, r, splat(E6))
    p = fma(p, r, splat(E5))
    p = fma(p, r, splat(E4))
    p = fma(p, r, splat(E3))
    p = fma(p, r, splat(E2))
    p = fma(p, r, splat(1.0))
    p = fma(p, r, splat(1.0))
    return p * power_of_two(n)


@compiled()
def log(x):
    """ln x = e ln 2 + 2 artanh(s), s = (m − 1)/(m + 1), with x = 2^e m and m in [1/√2, √2); x positive and normal."""
    e = exponent_of(x * SQRT_2)
    m = x * power_of_two(e * -1.0)
    s = (m - 1.0) / (m + 1.0)
    z = s * s  # <= 0.0295, so that eleven terms leave 2e-18
    p = fma(z, splat(1.0 / 21.0), splat(1.0 / 19.0))
    p = fma(p, z, splat(1.0 / 17.0))
    p = fma(p, z, splat(1.0 / 15.0))
    p = fma(p, z, splat(1.0 / 13.0))
    p = fma(p, z, splat(1.0 / 11.0))
    p = fma(p, z, splat(1.0 / 9.0))
    p = fma(p, z, splat(1.0 / 7.0))
    p = fma(p, z, splat(1.0 / 5.0))
    p = fma(p, z, splat(1.0 / 3.0))
    p = fma(p * z, s, s)
    return fma(e, splat(LN2_HIGH), fma(e, splat(LN2_LOW), p * 2.0))
