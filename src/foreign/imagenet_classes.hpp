// The 1000 classes of ImageNet's classification task (ILSVRC 2012) in the order of labels that PyTorch,
// Caffe and `convoy pack` use: by synset id. For weights of 1000 outputs whose file names no classes.
//
// imagenet_classes.txt holds the ids and words, as timm 1.0.31 (PyPI) lists them; 998 of the 1000 first
// words are torchvision's too, which tells the two cranes and the two maillots apart. The words are
// WordNet's: WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
#pragma once

#include <string_view>
#include <vector>

#include "data/store.hpp"

namespace convoy {

// "n01440764" with "tench, Tinca tinca", …
std::vector<ClassEntry> imagenet_classes();

// imagenet_classes.txt: a line for each class, id, blank, words.
std::string_view imagenet_classes_text();

}  // namespace convoy
