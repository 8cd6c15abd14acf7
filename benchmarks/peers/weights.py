#!/usr/bin/env python3
"""Weights of other programs in Convoy: the same images through the file's own network in PyTorch and through `convoy import`.

Writes networks with random weights as torchvision, safetensors and Caffe (by Python's own protobuf, in the three forms that
Caffe's versions wrote) store them, lets `convoy import` read them and `convoy predict` classify images, and prints
for each file the largest difference of a class's log-probability (logits minus their logarithmic sum) and how often the five
best classes are the same. Images are compared twice: as squares, which both sides decode to equal pixels, and as files,
which torchvision resizes by a triangle filter and Convoy by area. Exits with 1 if a difference of squares exceeds 1e-4.

    python3 -m venv venv && venv/bin/pip install torch torchvision numpy pillow safetensors protobuf
    venv/bin/python benchmarks/peers/weights.py build/convoy FOLDER_OF_IMAGES [--count 20]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torchvision
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from PIL import Image
from safetensors.torch import save_file

from networks import NETWORKS

LIMIT = 1e-4
FIELD = descriptor_pb2.FieldDescriptorProto
V1_TYPES = {"Convolution": 4, "Data": 5, "InnerProduct": 14, "LRN": 15, "Pooling": 17, "ReLU": 18, "Dropout": 6, "Softmax": 20}
V0_TYPES = {"Convolution": "conv", "InnerProduct": "innerproduct", "LRN": "lrn", "Pooling": "pool", "ReLU": "relu",
            "Dropout": "dropout", "Softmax": "softmax"}


def caffe_messages():
    """Caffe's messages, as far as weights need them, by the field numbers of its published caffe.proto."""
    file = descriptor_pb2.FileDescriptorProto(name="caffe_by_hand.proto", package="caffe", syntax="proto2")

    def message(name, *fields):
        entry = file.message_type.add(name=name)
        for label, kind, field, number, *rest in fields:
            new = entry.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                new.type, new.type_name = FIELD.TYPE_MESSAGE, ".caffe." + kind
            else:
                new.type = kind
            if rest:
                new.options.packed = True

    one, many = FIELD.LABEL_OPTIONAL, FIELD.LABEL_REPEATED
    text, real, whole = FIELD.TYPE_STRING, FIELD.TYPE_FLOAT, FIELD.TYPE_INT32
    message("BlobShape", (many, FIELD.TYPE_INT64, "dim", 1, True))
    message("BlobProto", (one, "BlobShape", "shape", 7), (many, real, "data", 5, True), (many, real, "diff", 6, True),
            (many, FIELD.TYPE_DOUBLE, "double_data", 8, True), (one, whole, "num", 1), (one, whole, "channels", 2),
            (one, whole, "height", 3), (one, whole, "width", 4))
    message("TransformationParameter", (one, real, "scale", 1), (one, FIELD.TYPE_UINT32, "crop_size", 3),
            (one, text, "mean_file", 4), (many, real, "mean_value", 5))
    message("LRNParameter", (one, FIELD.TYPE_UINT32, "local_size", 1), (one, real, "alpha", 2))
    message("LayerParameter", (one, text, "name", 1), (one, text, "type", 2), (many, text, "bottom", 3), (many, text, "top", 4),
            (many, "BlobProto", "blobs", 7), (one, "TransformationParameter", "transform_param", 100),
            (one, "LRNParameter", "lrn_param", 118))
    message("V0LayerParameter", (one, text, "name", 1), (one, text, "type", 2), (many, "BlobProto", "blobs", 50))
    message("V1LayerParameter", (one, "V0LayerParameter", "layer", 1), (many, text, "bottom", 2), (many, text, "top", 3),
            (one, text, "name", 4), (one, whole, "type", 5), (many, "BlobProto", "blobs", 6),
            (one, "TransformationParameter", "transform_param", 36), (one, "LRNParameter", "lrn_param", 18))
    message("NetParameter", (one, text, "name", 1), (many, "V1LayerParameter", "layers", 2),
            (many, "LayerParameter", "layer", 100))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe." + name))
            for name in ("NetParameter", "BlobProto")}


def fill(network, input_size):
    """Random weights that give scores of usual sizes for inputs of about `input_size`."""
    first = True
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
            if first:
                module.weight.data /= input_size
            first = False
    return network.eval()


def put_blob(blob, tensor, old):
    array = tensor.detach().numpy()
    if old:
        sides = (1,) * (4 - array.ndim) + array.shape
        blob.num, blob.channels, blob.height, blob.width = sides
    else:
        blob.shape.dim.extend(array.shape)
    blob.data.extend(array.reshape(-1).tolist())


def caffe_layers(network):
    """(name, type, module) of each layer, numbered as Caffe's users do."""
    convolutions = linears = poolings = norms = 0
    for module in network:
        if isinstance(module, torch.nn.Conv2d):
            convolutions += 1
            yield f"conv{convolutions}", "Convolution", module
        elif isinstance(module, torch.nn.Linear):
            linears += 1
            yield f"fc{linears + 5}", "InnerProduct", module
        elif isinstance(module, torch.nn.MaxPool2d):
            poolings += 1
            yield f"pool{poolings}", "Pooling", None
        elif isinstance(module, torch.nn.LocalResponseNorm):
            norms += 1
            yield f"norm{norms}", "LRN", None
        elif isinstance(module, torch.nn.ReLU):
            yield f"relu{convolutions + linears}", "ReLU", None
        elif isinstance(module, torch.nn.Dropout):
            yield f"drop{linears + 5}", "Dropout", None


def write_caffemodel(path, messages, network, version, name, scale):
    net = messages["NetParameter"](name=name)
    if version != 0:
        data = net.layers.add(name="data", type=V1_TYPES["Data"]) if version == 1 else net.layer.add(name="data", type="Data")
        data.transform_param.scale = scale
        data.transform_param.mean_file = "imagenet_mean.binaryproto"
    for layer_name, kind, module in caffe_layers(network):
        if version == 2:
            layer = net.layer.add(name=layer_name, type=kind)
        elif version == 1:
            layer = net.layers.add(name=layer_name, type=V1_TYPES[kind])
        else:
            layer = net.layers.add().layer
            layer.name, layer.type = layer_name, V0_TYPES[kind]
        if module is not None:
            put_blob(layer.blobs.add(), module.weight, version < 2)
            put_blob(layer.blobs.add(), module.bias, version < 2)
    path.write_bytes(net.SerializeToString())


def write_mean(path, messages):
    """A smooth mean image, blue first; returns it as an array of 3 × 256 × 256."""
    y, x = np.mgrid[0:256, 0:256] / 255
    mean = np.stack([104 + 9 * x - 4 * y, 117 - 5 * x * y, 123 + 6 * y]).astype(np.float32)
    blob = messages["BlobProto"](num=1, channels=3, height=256, width=256)
    blob.data.extend(mean.reshape(-1).tolist())
    path.write_bytes(blob.SerializeToString())
    return mean


class Convoy:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def run(self, *arguments):
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            sys.exit(f"convoy {' '.join(map(str, arguments))}\n{result.stdout}{result.stderr}")
        return result.stdout

    def log_probabilities(self, file, images, *options):
        checkpoint = self.folder / "imported.h5"
        print(self.run("import", file, "--output", checkpoint, "--replace", *options).splitlines()[0])
        rows = []
        for line in self.run("predict", "--checkpoint", checkpoint, "--top", 1000, "--json", *images).splitlines():
            row = np.zeros(1000)
            for entry in json.loads(line)["top"]:
                row[entry["index"]] = entry["probability"]
            rows.append(np.log(row))
        return np.array(rows)


def top5(rows):
    return [set(np.argsort(-row)[:5]) for row in rows]


def report(title, mine, theirs, limit):
    difference = np.abs(mine - theirs).max()
    same = sum(a == b for a, b in zip(top5(mine), top5(theirs)))
    first = sum(np.argmax(a) == np.argmax(b) for a, b in zip(mine, theirs))
    spread = theirs.std(axis=1).mean()
    print(f"  {title}: largest difference {difference:.2e} (logits spread by {spread:.2f}), "
          f"top-1 the same in {first}, top-5 in {same} of {len(mine)}")
    return difference <= limit


def scores(network, batch):
    with torch.no_grad():
        return torch.log_softmax(network(batch).double(), 1).numpy()


def check_torchvision(convoy, folder, images, squares):
    network = fill(torchvision.models.alexnet(), 1)
    transform = torchvision.transforms.Compose([
        torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224), torchvision.transforms.ToTensor(),
        torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    batches = [torch.stack([transform(Image.open(path).convert("RGB")) for path in paths]) for paths in (squares, images)]
    state = network.state_dict()
    files = {"alexnet.pth": lambda path: torch.save(state, path),
             "before-1.6.pth": lambda path: torch.save(state, path, _use_new_zipfile_serialization=False),
             "wrapped.pth": lambda path: torch.save({"state_dict": {"module." + k: v for k, v in state.items()}, "epoch": 9}, path),
             "alexnet.safetensors": lambda path: save_file(state, path)}
    good = True
    for name, write in files.items():
        write(folder / name)
        good &= report("squares", convoy.log_probabilities(folder / name, squares), scores(network, batches[0]), LIMIT)
    report("files", convoy.log_probabilities(folder / "alexnet.safetensors", images), scores(network, batches[1]), LIMIT)
    return good


def check_caffe(convoy, folder, squares):
    messages = caffe_messages()
    mean = write_mean(folder / "mean.binaryproto", messages)
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) for path in squares])
    blue_first = pixels[:, :, :, ::-1].transpose(0, 3, 1, 2) - mean
    begin = (256 - 227) // 2
    batch = np.ascontiguousarray(blue_first[:, :, begin:begin + 227, begin:begin + 227])
    good = True
    for name, own_name in (("caffe-alexnet", "AlexNet"), ("caffenet", "CaffeNet")):
        make, _ = NETWORKS[name]
        for version, scale in ((2, 1.0), (1, 1 / 64), (0, 1.0)):
            network = fill(make(), 60 * scale)
            file = folder / f"{name}-v{version}.caffemodel"
            write_caffemodel(file, messages, network, version, own_name, scale)
            mine = convoy.log_probabilities(file, squares, "--mean", folder / "mean.binaryproto")
            good &= report(f"{name}, version {version}", mine, scores(network, torch.from_numpy(batch * np.float32(scale))),
                           LIMIT)
            file.unlink()
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("convoy")
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    torch.manual_seed(1)
    images = sorted(p for p in options.images.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))[:options.count]
    if not images:
        sys.exit(f"{options.images} holds no images")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        square = torchvision.transforms.Compose([torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(256)])
        squares = [folder / f"{i}.png" for i in range(len(images))]
        for image, path in zip(images, squares):
            square(Image.open(image).convert("RGB")).save(path)
        convoy = Convoy(options.convoy, folder)
        good = check_torchvision(convoy, folder, images, squares)
        good &= check_caffe(convoy, folder, squares)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
