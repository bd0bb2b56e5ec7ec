"""The symbols of the derivation, one object each."""

import sympy as sp

w, phi, n = sp.symbols("w varphi n", real=True)
beta, beta0, w0 = sp.symbols("beta beta_0 w_0", real=True)
N, m, D, s = sp.symbols("N m D s", positive=True)
T = sp.Symbol("T", nonnegative=True)
kappa, tau = sp.symbols("kappa tau", positive=True)
c1, c2, c3 = sp.symbols("c_1 c_2 c_3", positive=True)
K, A, nu, p, L, q, r = sp.symbols("K A nu p L q r_K", positive=True)
decay = sp.Symbol("lambda", positive=True)
sigma_beta = sp.Symbol("sigma_beta", positive=True)


def sigmoid(x: sp.Expr) -> sp.Expr:
    """σ(x) = 1/(1 + e^{−x})."""
    return 1 / (1 + sp.exp(-x))


def mills(x: sp.Expr) -> sp.Expr:
    """M(x) = √(π/2) e^{x²/2} erfc(x/√2)."""
    return sp.sqrt(sp.pi / 2) * sp.exp(x**2 / 2) * sp.erfc(x / sp.sqrt(2))


def normal_cdf(x: sp.Expr) -> sp.Expr:
    """Φ(x)."""
    return sp.erfc(-x / sp.sqrt(2)) / 2
