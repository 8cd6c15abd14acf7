"""The AlexNet family in PyTorch, layer by layer as listed by `convoy models`. Used by the other programs in this folder."""

import torch
from torch import nn


class SamePad(nn.Module):
    """Pads height and width; before max-pooling the padding is minus infinity, so that it is never the maximum."""

    def __init__(self, before, after, value=0.0):
        super().__init__()
        self.sides, self.value = (before, after, before, after), value

    def forward(self, x):
        return nn.functional.pad(x, self.sides, value=self.value)


def convolution(inputs, filters, kernel, stride, padding, groups=1):
    return [nn.Conv2d(inputs, filters, kernel, stride, padding, groups=groups), nn.ReLU(inplace=True)]


def pool():
    return [nn.MaxPool2d(3, 2)]


def response_norm(k):
    return [nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=k)]


def classifier(classes, dropout, dropout_first, features=9216, width=4096):
    hidden = []
    for inputs in (features, width):
        drop = [nn.Dropout(dropout)]
        linear = [nn.Linear(inputs, width), nn.ReLU(inplace=True)]
        hidden += drop + linear if dropout_first else linear + drop
    return [nn.Flatten(), *hidden, nn.Linear(width, classes)]


def alexnet(classes=1000, dropout=0.5, groups=2, norm=2.0, norm_after_pool=False):
    between = response_norm(norm) if norm else []
    after = pool() + between if norm_after_pool else between + pool()
    after2 = pool() + (response_norm(norm) if norm else []) if norm_after_pool else (
        (response_norm(norm) if norm else []) + pool())
    layers = convolution(3, 96, 11, 4, 0) + after + convolution(96, 256, 5, 1, 2, groups) + after2
    layers += convolution(256, 384, 3, 1, 1) + convolution(384, 384, 3, 1, 1, groups)
    layers += convolution(384, 256, 3, 1, 1, groups) + pool()
    return nn.Sequential(*layers, *classifier(classes, dropout, dropout_first=False))


def alexnet_padded(classes=1000, dropout=0.5):
    layers = convolution(3, 96, 11, 4, 2) + pool() + convolution(96, 256, 5, 1, 2) + pool()
    layers += convolution(256, 384, 3, 1, 1) + convolution(384, 384, 3, 1, 1) + convolution(384, 256, 3, 1, 1) + pool()
    return nn.Sequential(*layers, *classifier(classes, dropout, dropout_first=True))


def alexnet_owt(classes=1000, dropout=0.5):
    layers = convolution(3, 64, 11, 4, 2) + pool() + convolution(64, 192, 5, 1, 2) + pool()
    layers += convolution(192, 384, 3, 1, 1) + convolution(384, 256, 3, 1, 1) + convolution(256, 256, 3, 1, 1) + pool()
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(6), *classifier(classes, dropout, dropout_first=True))


def alexnet_cifar(classes=10, dropout=0.5):
    lowest = float("-inf")
    layers = [SamePad(3, 4), *convolution(3, 96, 11, 4, 0), SamePad(0, 1, lowest), *pool()]
    layers += [*convolution(96, 256, 5, 1, 2), SamePad(0, 1, lowest), *pool()]
    layers += convolution(256, 384, 3, 1, 1) + convolution(384, 384, 3, 1, 1) + convolution(384, 256, 3, 1, 1)
    layers += [SamePad(0, 1, lowest), *pool()]
    return nn.Sequential(*layers, *classifier(classes, dropout, dropout_first=False, features=256))


def alexnet_mini(classes=10, dropout=0.5):
    layers = convolution(3, 48, 5, 2, 2) + pool() + convolution(48, 96, 5, 1, 2) + pool()
    layers += convolution(96, 128, 3, 1, 1) + convolution(128, 128, 3, 1, 1) + convolution(128, 96, 3, 1, 1) + pool()
    return nn.Sequential(*layers, *classifier(classes, dropout, dropout_first=False, features=864, width=512))


NETWORKS = {
    "alexnet": (alexnet, 227),
    "alexnet-ungrouped": (lambda **o: alexnet(groups=1, norm=0, **o), 227),
    "alexnet-ungrouped-lrn": (lambda **o: alexnet(groups=1, norm=1.0, **o), 227),
    "alexnet-padded": (alexnet_padded, 224),
    "alexnet-owt": (alexnet_owt, 224),
    "caffe-alexnet": (lambda **o: alexnet(norm=1.0, **o), 227),
    "caffenet": (lambda **o: alexnet(norm=1.0, norm_after_pool=True, **o), 227),
    "alexnet-cifar": (alexnet_cifar, 32),
    "alexnet-mini": (alexnet_mini, 64),
}


def make(name, **options):
    """The network and the side of its input."""
    constructor, side = NETWORKS[name]
    return constructor(**options), side


def initialise_glorot(network):
    """Keras' defaults: Glorot uniform weights, zero biases."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            torch.nn.init.xavier_uniform_(module.weight)
            torch.nn.init.zeros_(module.bias)
