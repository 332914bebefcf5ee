"""Losses that learn from noisy labels."""

from keras_noisy.losses._tempered import tempered_softmax
from keras_noisy.losses.active_passive import ActivePassive
from keras_noisy.losses.ael import AEL
from keras_noisy.losses.agce import AGCE
from keras_noisy.losses.amse import AMSE
from keras_noisy.losses.asymmetric_loss import AsymmetricLoss
from keras_noisy.losses.aul import AUL
from keras_noisy.losses.backward_correction import BackwardCorrection
from keras_noisy.losses.base._arguments import flag, number, whole_number
from keras_noisy.losses.base.distribution import DistributionLoss
from keras_noisy.losses.base.memory import MemoryLoss, with_index
from keras_noisy.losses.base.multi_label import MultiLabelLoss
from keras_noisy.losses.base.negative import NegativeLoss
from keras_noisy.losses.base.normalized import NormalizedLoss
from keras_noisy.losses.base.robust_loss import RobustLoss
from keras_noisy.losses.base.true_class import TrueClassLoss
from keras_noisy.losses.bi_tempered import BiTempered
from keras_noisy.losses.binary import Binary
from keras_noisy.losses.check import check
from keras_noisy.losses.confidence_correction import (
    ConfidenceCorrection,
    with_confidence,
)
from keras_noisy.losses.cores import CORES
from keras_noisy.losses.cross_entropy import CrossEntropy
from keras_noisy.losses.elr import ELR
from keras_noisy.losses.epsilon_softmax_ce import EpsilonSoftmaxCE
from keras_noisy.losses.focal import Focal
from keras_noisy.losses.forward_correction import ForwardCorrection
from keras_noisy.losses.gce import GCE
from keras_noisy.losses.generalized_jensen_shannon import (
    GeneralizedJensenShannon,
)
from keras_noisy.losses.given_label_loss import (
    GivenLabelLoss,
    with_clean_labels,
)
from keras_noisy.losses.hard_bootstrapping import HardBootstrapping
from keras_noisy.losses.hill import Hill
from keras_noisy.losses.icce import ICCE
from keras_noisy.losses.jensen_shannon import JensenShannon
from keras_noisy.losses.ldr_kl import LDRKL
from keras_noisy.losses.mae import MAE
from keras_noisy.losses.mae_star import MAEStar
from keras_noisy.losses.nce import NCE
from keras_noisy.losses.nfl import NFL
from keras_noisy.losses.ngce import NGCE
from keras_noisy.losses.nmae import NMAE
from keras_noisy.losses.nnce import NNCE
from keras_noisy.losses.nnfl import NNFL
from keras_noisy.losses.nrce import NRCE
from keras_noisy.losses.ogc import OGC
from keras_noisy.losses.peer_loss import PeerLoss
from keras_noisy.losses.phuber_ce import PHuberCE
from keras_noisy.losses.rce import RCE
from keras_noisy.losses.registry import get, names
from keras_noisy.losses.scaled_mae import ScaledMAE
from keras_noisy.losses.sce import SCE
from keras_noisy.losses.selc import SELC
from keras_noisy.losses.small_loss import SmallLoss
from keras_noisy.losses.soft_bootstrapping import SoftBootstrapping
from keras_noisy.losses.sop import SOP
from keras_noisy.losses.splc import SPLC
from keras_noisy.losses.symmetrized import Symmetrized
from keras_noisy.losses.taylor_ce import TaylorCE
from keras_noisy.losses.truncated_gce import TruncatedGCE

__all__ = [
    "AEL",
    "AGCE",
    "AMSE",
    "AUL",
    "CORES",
    "ELR",
    "GCE",
    "ICCE",
    "LDRKL",
    "MAE",
    "NCE",
    "NFL",
    "NGCE",
    "NMAE",
    "NNCE",
    "NNFL",
    "NRCE",
    "OGC",
    "RCE",
    "SCE",
    "SELC",
    "SOP",
    "SPLC",
    "ActivePassive",
    "AsymmetricLoss",
    "BackwardCorrection",
    "BiTempered",
    "Binary",
    "ConfidenceCorrection",
    "CrossEntropy",
    "DistributionLoss",
    "EpsilonSoftmaxCE",
    "Focal",
    "ForwardCorrection",
    "GeneralizedJensenShannon",
    "GivenLabelLoss",
    "HardBootstrapping",
    "Hill",
    "JensenShannon",
    "MAEStar",
    "MemoryLoss",
    "MultiLabelLoss",
    "NegativeLoss",
    "NormalizedLoss",
    "PHuberCE",
    "PeerLoss",
    "RobustLoss",
    "ScaledMAE",
    "SmallLoss",
    "SoftBootstrapping",
    "Symmetrized",
    "TaylorCE",
    "TrueClassLoss",
    "TruncatedGCE",
    "check",
    "flag",
    "get",
    "names",
    "number",
    "tempered_softmax",
    "whole_number",
    "with_clean_labels",
    "with_confidence",
    "with_index",
]
