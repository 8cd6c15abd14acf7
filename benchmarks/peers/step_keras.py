"""Training steps of alexnet-cifar in Keras (tensorflow-cpu) without augmentation, for comparison with configs/cifar10.cfg.

    python step_keras.py --batch 64 --threads 2 --steps 100
"""

import argparse
import json
import os
import time


def network(keras):
    layers = keras.layers
    return keras.Sequential([
        keras.Input((32, 32, 3)),
        layers.Conv2D(96, 11, strides=4, padding="same", activation="relu"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Conv2D(256, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Conv2D(384, 3, padding="same", activation="relu"),
        layers.Conv2D(384, 3, padding="same", activation="relu"),
        layers.Conv2D(256, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Flatten(),
        layers.Dense(4096, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(4096, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import numpy
    import tensorflow
    from tensorflow import keras

    tensorflow.config.threading.set_intra_op_parallelism_threads(options.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    model = network(keras)
    model.compile(optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-7), loss="sparse_categorical_crossentropy",
                  metrics=["accuracy"])
    images = numpy.random.default_rng(1).random((options.batch * options.steps, 32, 32, 3), dtype=numpy.float32)
    labels = numpy.random.default_rng(2).integers(0, 10, options.batch * options.steps)
    model.fit(images, labels, batch_size=options.batch, epochs=1, verbose=0)
    start = time.monotonic()
    model.fit(images, labels, batch_size=options.batch, epochs=1, verbose=0)
    seconds = time.monotonic() - start
    print(json.dumps({"what": "Keras " + keras.__version__ + ", TensorFlow " + tensorflow.__version__, "model": "alexnet-cifar",
                      "batch": options.batch, "threads": options.threads,
                      "images_per_second": len(labels) / seconds}))


if __name__ == "__main__":
    main()
