// Lists of labels in the forms in which data sets come: each image gets the class that its line names, and
// what does not fit is refused with its line.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "data/image_files.hpp"
#include "sources/label_list.hpp"
#include "sources/source_kinds.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using Ids = std::vector<std::string>;
using Classes = std::map<std::string, std::string>;  // of each image: its class's id

const Ids& synsets() {
  static const Ids ids{"n00", "n01", "n02"};
  return ids;
}

// A source with these images; their first folders are its classes, as for an image folder.
SourceIndex source_of(const Ids& names) {
  SourceIndex index;
  Ids folders;
  for (const std::string& name : names) {
    SourceItem item;
    item.name = name;
    index.items.push_back(item);
    folders.push_back(name.substr(0, name.find('/') == std::string::npos ? 0 : name.find('/')));
  }
  assign_classes(index, folders);
  return index;
}

Classes classes_of(const SourceIndex& index) {
  Classes classes;
  for (const SourceItem& item : index.items)
    classes[item.name] = index.classes.at(static_cast<std::size_t>(item.label));
  return classes;
}

// The classes that a list with this text gives to these images.
Classes labelled(const Ids& names, const std::string& text, const Ids& known = synsets()) {
  const TemporaryFolder folder;
  write_file(folder / "list", text);
  SourceIndex index = source_of(names);
  apply_labels(index, folder / "list", known);
  return classes_of(index);
}

void expect_refused(const Ids& names, const std::string& text, std::initializer_list<std::string> parts,
                    const Ids& known = synsets()) {
  SCOPED_TRACE(text);
  expect_error(ExitCode::bad_data, parts, [&] { labelled(names, text, known); });
}

const Ids parts{"part1/img1.jpg", "part1/img2.jpg", "part2/img1.jpg", "part2/img2.jpg"};
const Classes part_classes{{"part1/img1.jpg", "n00"},
                           {"part1/img2.jpg", "n00"},
                           {"part2/img1.jpg", "n01"},
                           {"part2/img2.jpg", "n01"}};

TEST(NamedLabels, EqualFileNamesAreToldApartByTheirFolders) {
  EXPECT_EQ(labelled(parts, "part1/img1.jpg 0\npart1/img2.jpg 0\npart2/img1.jpg 1\npart2/img2.jpg 1\n"),
            part_classes);
  // The list's folder is above the source.
  EXPECT_EQ(labelled(parts,
                     "/data/val/part2/img2.jpg 1\n/data/val/part1/img2.jpg 0\n"
                     "/data/val/part2/img1.jpg 1\n/data/val/part1/img1.jpg 0\n"),
            part_classes);
  EXPECT_EQ(
      labelled(parts, "./part1\\img1.jpg 0\n.\\part1\\img2.jpg 0\npart2//img1.jpg 1\npart2\\img2.jpg 1\n"),
      part_classes);
  // The source's folder is above the list's.
  const Ids deeper{"set/val/part1/img1.jpg", "set/val/part2/img1.jpg"};
  const Classes expected{{deeper[0], "n02"}, {deeper[1], "n01"}};
  EXPECT_EQ(labelled(deeper, "part1/img1.jpg 2\npart2/img1.jpg 1\n"), expected);
  EXPECT_EQ(labelled(deeper, "other/part1/img1.jpg 2\nother/part2/img1.jpg 1\n"), expected);
  EXPECT_EQ(labelled({"a/x/1.jpg", "b/y/1.jpg"}, "x/1.jpg 2\ny/1.jpg 0\n"),
            (Classes{{"a/x/1.jpg", "n02"}, {"b/y/1.jpg", "n00"}}));
}

TEST(NamedLabels, WholePathComesBeforeItsEnd) {
  EXPECT_EQ(labelled({"a/a/1.jpg", "a/1.jpg"}, "a/1.jpg 0\na/a/1.jpg 1\n"),
            (Classes{{"a/1.jpg", "n00"}, {"a/a/1.jpg", "n01"}}));
  EXPECT_EQ(labelled({"1.jpg", "a/1.jpg", "b/a/1.jpg"}, "a/1.jpg 0\nb/a/1.jpg 1\n1.jpg 2\n"),
            (Classes{{"1.jpg", "n02"}, {"a/1.jpg", "n00"}, {"b/a/1.jpg", "n01"}}));
}

TEST(NamedLabels, FoldersMayDifferWhereFileNamesDo) {
  EXPECT_EQ(labelled({"images/1.jpg", "more/2.jpg"}, "val/2.jpg 0\nval/1.jpg 1\n"),
            (Classes{{"images/1.jpg", "n01"}, {"more/2.jpg", "n00"}}));
  EXPECT_EQ(labelled({"images/1.jpg", "more/2.jpg"}, "2.jpg 0\n1.jpg 1\n"),
            (Classes{{"images/1.jpg", "n01"}, {"more/2.jpg", "n00"}}));
}

// Once a name has its image's folders, another folder is that of another image.
TEST(NamedLabels, NameInAnotherFolderIsNotAnotherImage) {
  expect_refused({"a/1.jpg", "a/2.jpg", "b/3.jpg"}, "a/1.jpg 0\nb/2.jpg 1\nb/3.jpg 1\n",
                 {"1 of the 3 names", "b/2.jpg (line 2)", "no line for a/2.jpg"});
  expect_refused({"a/1.jpg", "a/2.jpg"}, "a/1.jpg 0\nb/2.jpg 1\n",
                 {"b/2.jpg (line 2)", "no line for a/2.jpg"});
  expect_refused({"a/1.jpg", "b/2.jpg"}, "a/1,n00\nc/2,n01\n", {"c/2 (line 2)", "no line for b/2.jpg"});
  // The longer common end decides.
  EXPECT_EQ(labelled({"1.jpg", "b/a/1.jpg"}, "a/1.jpg 0\n1.jpg 1\n"),
            (Classes{{"1.jpg", "n01"}, {"b/a/1.jpg", "n00"}}));
}

TEST(NamedLabels, NamesThatCouldMeanTwoImagesAreRefused) {
  expect_refused(parts, "img1.jpg 0\nimg2.jpg 1\n", {"line 1", "part1/img1.jpg or part2/img1.jpg"});
  expect_refused({"img1.jpg", "img2.jpg"}, "a/img1.jpg 0\na/img2.jpg 1\nb/img1.jpg 1\n",
                 {"lines 1 and 3", "a/img1.jpg and b/img1.jpg"});
  expect_refused(parts, "part1/img1.jpg 0\npart1/img2.jpg 0\npart2/img1.jpg 1\npart3/img2.jpg 1\n",
                 {"not images of the source", "part3/img2.jpg (line 4)"});
  expect_refused({"1.jpg", "1.png"}, "1 0\n1 0\n", {"line 1", "1.jpg or 1.png"});
}

TEST(NamedLabels, ImageListedTwiceNeedsTheSameClass) {
  EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, "1.jpg 2\n2.jpg 0\n1.jpg 2\n"),
            (Classes{{"1.jpg", "n02"}, {"2.jpg", "n00"}}));
  expect_refused({"1.jpg", "2.jpg"}, "1.jpg 2\n2.jpg 0\n\n1.jpg 1\n",
                 {"lines 1 and 4", "1.jpg different classes: 2 and 1"});
}

const Ids images{"val_00000001.JPEG", "val_00000002.JPEG", "val_00000003.JPEG"};
const Classes image_classes{{images[0], "n02"}, {images[1], "n00"}, {images[2], "n02"}};

TEST(NamedLabels, EveryFormGivesTheSameClasses) {
  const Ids forms{
      // ImageNet as Kaggle distributes it: boxes behind the class, names without extension
      "ImageId,PredictionString\r\nval_00000003,n02 111 108 230 366 \r\nval_00000001,n02 1 2 3 4 n02 5 6 7 8 "
      "\r\nval_00000002,n00 9 9 9 9 \r\n",
      // the same without header, and by the names that it has when it is unpacked
      "val_00000003,n02 111 108 230 366\nval_00000001,n02 1 2 3 4\nval_00000002,n00 9 9 9 9",
      // Tiny ImageNet: further columns
      "val_00000003.JPEG\tn02\t0\t32\t44\t62\nval_00000001.JPEG\tn02\t52\t55\t57\t59\n"
      "val_00000002.JPEG\tn00\t4\t0\t60\t55\n",
      "val_00000002.JPEG n00 4 0 60 55\nval_00000001.JPEG n02 1 2 3 4\nval_00000003.JPEG n02 1 2 3 4\n",
      // CSV with a byte-order mark, quotes and blanks; a header whose words are not classes
      "\xEF\xBB\xBFid,breed\n\"val_00000002\",\"n00\"\nval_00000003 , n02\n \"val_00000001.JPEG\",n02\n",
      "file;class;note\nval_00000001.JPEG;n02;\"first; \"\"good\"\"\nand long\"\nval_00000002.JPEG;n00;\n"
      "val_00000003.JPEG;n02;x\n",
      // class numbers, as integers and as the floats of a table
      "val_00000002.JPEG 0\nval_00000003.JPEG   2\nval_00000001.JPEG\t2  \n",
      "name,label\nval_00000002,0.0\nval_00000003,2.0\nval_00000001,2.0\n",
      // MXNet: running number, label, path
      "7\t2.000000\tval/val_00000001.JPEG\n8\t0.000000\tval/val_00000002.JPEG\n"
      "9\t2.000000\tval/val_00000003.JPEG\n",
      // a running number first; lines that end as on a Macintosh of old
      ",file,synset,source\r0,val_00000003.JPEG,n02,a\r1,val_00000002.JPEG,n00,b\r2,val_00000001.JPEG,n02,"
      "c\r"};
  for (const std::string& form : forms) {
    SCOPED_TRACE(form);
    EXPECT_EQ(labelled(images, form), image_classes);
  }
}

TEST(NamedLabels, HeaderTellsTheColumnOfClasses) {
  const Classes expected{{"1.jpg", "cat"}, {"2.jpg", "dog"}};
  for (const std::string form : {"file,split,Label\n2.jpg,train,dog\n1.jpg,train,cat\n",
                                 "Class;split;file\ncat;train;1.jpg\ndog;val;2\n",
                                 "file,breed,width,target_size\n2.jpg,dog,5,6\n1.jpg,cat,7,8\n"}) {
    SCOPED_TRACE(form);
    EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, form, {}), expected);
  }
  // One column per class is another form.
  expect_refused({"1.jpg", "2.jpg"}, "file,cat,dog\n1.jpg,1,0\n2.jpg,0,1\n", {"file (line 1)"},
                 {"cat", "dog"});
}

TEST(NamedLabels, RunningNumberIsNotTakenForAName) {
  EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, "1\t0\t2.jpg\n2\t1\t1.jpg\n"),
            (Classes{{"1.jpg", "n01"}, {"2.jpg", "n00"}}));
}

TEST(NamedLabels, ClassNumbersThatAreAlsoNamesOfImages) {
  const Ids numbered{"1.jpg", "2.jpg", "3.jpg"};
  const Ids ids{"n00", "n01", "n02", "n03"};
  const Classes expected{{"1.jpg", "n02"}, {"2.jpg", "n03"}, {"3.jpg", "n01"}};
  for (const std::string form : {"label,id\n2,1\n3,2\n1,3\n", "row,id,label\n1,2,3\n2,3,1\n3,1,2\n",
                                 "Image_ID;class\n1;2\n2;3\n3;1\n", "2 1.jpg\n3 2.jpg\n1 3.jpg\n"}) {
    SCOPED_TRACE(form);
    EXPECT_EQ(labelled(numbered, form, ids), expected);
  }
  // The column of labels names more images than the other.
  expect_refused(numbered, "id,label\n1,2\n2,3\n4,1\n", {"4 (line 4)", "no line for 3.jpg"}, ids);
  expect_refused(numbered, "2,1\n3,2\n1,3\n", {"columns 1 and 2 both name images", "extensions"}, ids);
  expect_refused(numbered, "row,index,label\n1,2,2\n2,3,1\n3,1,3\n", {"columns 1 and 2 both"}, ids);
}

TEST(NamedLabels, TwoColumnsMayNameTheSameImage) {
  const Classes expected{{"1.jpg", "cat"}, {"2.jpg", "dog"}};
  for (const std::string form : {"name,path,label\n2.jpg,train/2.jpg,dog\n1.jpg,train/1.jpg,cat\n",
                                 "2.jpg,train/2.jpg,dog\n1.jpg,train/1.jpg,cat\n",
                                 "dog\t2.jpg\ttrain/2.jpg\ncat\t1.jpg\ttrain/1.jpg\n"}) {
    SCOPED_TRACE(form);
    EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, form, {}), expected);
  }
}

TEST(NamedLabels, NamesAndClassesMayContainBlanksAndCommas) {
  const Ids names{"a, b.jpg", "my photo.jpg"};
  const Classes expected{{names[0], "n01"}, {names[1], "n02"}};
  EXPECT_EQ(labelled(names, "my photo.jpg 2\na, b.jpg 1\n"), expected);
  EXPECT_EQ(labelled(names, "name,class\n\"a, b.jpg\",n01\nmy photo,n02\n"), expected);
  const Classes dogs{{"1.jpg", "golden retriever"}, {"2.jpg", "pug"}};
  EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, "1.jpg golden retriever\n2.jpg pug\n", {}), dogs);
  EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, "id,breed\n2,pug\n1,golden retriever\n", {}), dogs);
}

TEST(NamedLabels, ListOfTheFirstSplitMakesTheClasses) {
  const TemporaryFolder folder;
  write_file(folder / "labels.csv", "id,breed\nc,pug\na,boxer\nb,pug\n");
  SourceIndex index = source_of({"a.jpg", "b.jpg", "c.jpg"});
  apply_labels(index, folder / "labels.csv", {});
  EXPECT_EQ(index.classes, (Ids{"boxer", "pug"}));
  EXPECT_EQ(classes_of(index), (Classes{{"a.jpg", "boxer"}, {"b.jpg", "pug"}, {"c.jpg", "pug"}}));
}

TEST(NamedLabels, ListAndImagesMustMatch) {
  expect_refused(images, "val_00000001,n02\nval_00000002,n00\n",
                 {"no line for val_00000003.JPEG", "1 of the 3"});
  expect_refused(images,
                 "ImageId,PredictionString\nval_00000001,n02\nval_00000009,n01\nval_00000002,n00\n"
                 "val_00000003,n02\nval_00000008,n01\n",
                 {"2 of the 6 names", "val_00000009 (line 3), val_00000008 (line 6)"});
  // The first line is not a header: its class exists.
  expect_refused(images, "val_00000009,n01\nval_00000001,n02\nval_00000002,n00\nval_00000003,n02\n",
                 {"val_00000009 (line 1)"});
  expect_refused({"a.jpg", "b.jpg"}, "zz,cow\na,cat\nb,dog\n", {"zz (line 1)", "line 1 is a header"}, {});
  expect_refused(images, "val_00000001,n02\nval_00000002\nval_00000003,n02\n", {"line 2", "no class"});
  expect_refused(images, "val_00000001,n02\nval_00000002,\nval_00000003,n02\n", {"line 2", "no class"});
  expect_refused(images, "val_00000001,n02\nval_00000002,n07\nval_00000003,n02\n",
                 {"line 2", "n07", "3 classes"});
  expect_refused(images, "val_00000001,n02\rval_00000002,n00\rval_00000003,n07\r", {"line 3", "n07"});
  expect_refused(images, "val_00000001 0\nval_00000002 3\nval_00000003 -1\n", {"line 2", "class 3"});
  expect_refused(images, "val_00000001,n02 1 2 3 4 n01 1 2 3 4\nval_00000002,n00\nval_00000003,n02\n",
                 {"line 1", "boxes of different classes"});
  expect_refused(images, "val_00000001,n02\n\"val_00000002,n00\nval_00000003,n02\n", {"line 2", "quote"});
}

// Read as one class per line, such lists would make a class of each line.
TEST(NamedLabels, ListOfAnotherFormOrSplitIsNotReadAsClasses) {
  for (const Ids& known : {synsets(), Ids()}) {
    expect_refused(images, "train_1.JPEG,0\ntrain_2.JPEG,1\ntrain_3.JPEG,0\n",
                   {"names no image", "line 1", "train_1.JPEG,0", "val_00000001.JPEG"}, known);
    expect_refused(images, "train_1.JPEG n01\ntrain_2.JPEG n00\ntrain_3.JPEG n01\n", {"names no image"},
                   known);
  }
  const Ids letters{"a.jpg", "b.jpg", "c.jpg"};
  for (const std::string form :
       {"a.jpg\nb.jpg\nc.jpg\n", "a.jpg|cat\nb.jpg|dog\nc.jpg|cat\n", "a.jpg:cat\nb.jpg:dog\nc.jpg:cat\n",
        "a.jpg=cat\nb.jpg=dog\nc.jpg=cat\n", "a.jpg>cat\nb.jpg>dog\nc.jpg>cat\n", "a=cat\nb=dog\nc=cat\n",
        "{\"a.jpg\":\"cat\"}\n{\"b.jpg\":\"dog\"}\n{\"c.jpg\":\"cat\"}\n", "a\nb\nc\n",
        "x.jpg\nx.jpg\nx.jpg\n", "'a.png'\n'a.png'\n'a.png'\n"})
    for (const Ids& known : {synsets(), Ids()})
      expect_refused(letters, form, {"line 1 is not a class", form.substr(0, form.find('\n'))}, known);
  expect_refused(letters, "x\ny\nz\n", {"each line is another class", "x", "--class-list"}, {});
  EXPECT_EQ(labelled({"a.jpg", "b.jpg"}, "b\nx:y.jpg\n", {"b", "x:y.jpg"}),
            (Classes{{"a.jpg", "b"}, {"b.jpg", "x:y.jpg"}}));
  EXPECT_EQ(labelled({"1.jpg"}, "cat\n", {}), (Classes{{"1.jpg", "cat"}}));
  EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, "sea lion\nn, m\n", {"n, m", "sea lion"}),
            (Classes{{"1.jpg", "sea lion"}, {"2.jpg", "n, m"}}));
  expect_refused({"1.jpg"}, "\r\n\n", {"is empty"});
}

TEST(LabelList, ClassFoldersMustAgree) {
  const Ids sorted{"n00/1.jpg", "n01/2.jpg", "n01/3.jpg"};
  const Classes expected{{sorted[0], "n00"}, {sorted[1], "n01"}, {sorted[2], "n01"}};
  EXPECT_EQ(labelled(sorted, "2,n01\n1,n00\n3,n01\n"), expected);
  EXPECT_EQ(labelled(sorted, "n01/2.jpg 1\nn00/1.jpg 0\nn01/3.jpg 1\n"), expected);
  EXPECT_EQ(labelled(sorted, "n00\nn01\nn01\n"), expected);
  EXPECT_EQ(labelled(sorted, "n00\nn01\nn01\n", {}), expected);
  for (const Ids& known : {synsets(), Ids()}) {
    expect_refused(sorted, "2,n01\n1,n00\n3,n00\n",
                   {"line 3", "n01/3.jpg the class n00", "folder of class n01"}, known);
    expect_refused(sorted, "n00\nn01\nn00\n", {"line 3", "n01/3.jpg", "folder of class n01"}, known);
  }
}

// Of the first split, all folders are classes if one is, also one that the list does not name.
TEST(LabelList, FoldersOfTheFirstSplitAreAllClassesOrNone) {
  const Ids sorted{"cat/1.jpg", "dog/2.jpg"};
  expect_refused(sorted, "cat\ncat\n",
                 {"line 2 gives dog/2.jpg the class cat", "in the folder dog", "such as cat"}, {});
  expect_refused(sorted, "1.jpg Dog\n2.jpg Cat\n", {"line 1", "the class Dog", "folder of class cat"}, {});
  expect_refused(sorted, "1.jpg dog\n2.jpg CAT\n", {"line 1", "the class dog", "folder of class cat"}, {});
  EXPECT_EQ(labelled(sorted, "1.jpg Cat\n2.jpg Dog\n", {}),
            (Classes{{sorted[0], "Cat"}, {sorted[1], "Dog"}}));
  EXPECT_EQ(labelled(sorted, "1.jpg Cat\n2.jpg dog\n", {"Cat", "dog"}),
            (Classes{{sorted[0], "Cat"}, {sorted[1], "dog"}}));
  expect_refused(sorted, "1.jpg Cat\n2.jpg dog\n", {"line 1", "the class Cat", "folder of class cat"},
                 {"Cat", "cat", "dog"});
}

TEST(LabelList, RemarksOnFoldersAndOnRepeatedLines) {
  const auto warnings = [](const std::string& text) {
    const TemporaryFolder folder;
    write_file(folder / "list", text);
    SourceIndex index = source_of({"a/1.jpg", "a/2.jpg", "b/3.jpg"});
    apply_labels(index, folder / "list", synsets());
    return index.warnings;
  };
  EXPECT_EQ(warnings("1.jpg 0\n2.jpg 0\n3.jpg 2\n").size(), 0U);
  const Ids several = warnings("1.jpg 0\n2.jpg 1\n3.jpg 1\n"), same = warnings("1.jpg 1\n2.jpg 1\n3.jpg 1\n");
  ASSERT_EQ(several.size(), 1U);
  EXPECT_NE(several[0].find("folder a have several classes, such as n00 and n01"), std::string::npos);
  ASSERT_EQ(same.size(), 1U);
  EXPECT_NE(same[0].find("folders a and b have the same class, n01"), std::string::npos);
  const Ids repeated = warnings("1.jpg 0\n2.jpg 0\n3.jpg 2\n1.jpg 0\n3.jpg 2\n");
  ASSERT_EQ(repeated.size(), 1U);
  EXPECT_NE(repeated[0].find("same image and class: 2"), std::string::npos);
}

TEST(LabelList, NumbersThatAreAlsoIdsOfOtherClassesAreRefused) {
  const Ids two{"a.jpg", "b.jpg"};
  const Ids from_zero{"0", "1", "2"}, from_one{"1", "2", "3"}, padded{"001", "002", "003"};
  EXPECT_EQ(labelled(two, "a.jpg 2\nb.jpg 0\n", from_zero), (Classes{{"a.jpg", "2"}, {"b.jpg", "0"}}));
  // 3 is not the number of a class, so these are ids; 0 is not an id, so these are numbers.
  EXPECT_EQ(labelled(two, "a.jpg 3\nb.jpg 1\n", from_one), (Classes{{"a.jpg", "3"}, {"b.jpg", "1"}}));
  EXPECT_EQ(labelled(two, "a.jpg 2\nb.jpg 0\n", from_one), (Classes{{"a.jpg", "3"}, {"b.jpg", "1"}}));
  EXPECT_EQ(labelled(two, "a.jpg 3\nb.jpg 1\n", padded), (Classes{{"a.jpg", "003"}, {"b.jpg", "001"}}));
  EXPECT_EQ(labelled(two, "a.jpg 003\nb.jpg 1\n", padded), (Classes{{"a.jpg", "003"}, {"b.jpg", "001"}}));
  expect_refused(two, "a.jpg 2\nb.jpg 1\n", {"line 1", "called 2", "number 2", "called 3"}, from_one);
  expect_refused(two, "a.jpg 2\nb.jpg 1\n", {"line 1", "called 002", "called 003"}, padded);
}

TEST(OrderedLabels, ListOfNumbersMayBeIds) {
  EXPECT_EQ(labelled({"a.jpg", "b.jpg"}, "2\n0\n", {"0", "1", "2"}),
            (Classes{{"a.jpg", "2"}, {"b.jpg", "0"}}));
  // Such numbers may also be names of images.
  EXPECT_EQ(labelled({"1.jpg", "2.jpg"}, "2\n1\n", {"001", "002"}),
            (Classes{{"1.jpg", "002"}, {"2.jpg", "001"}}));
}

TEST(OrderedLabels, NumberOfLinesMustMatch) {
  expect_refused(images, "n00\nn01\n", {"2 labels", "3 images"});
  expect_refused(images, "n00\nn01\nn05\n", {"line 3", "n05"});
  EXPECT_EQ(labelled(images, "\xEF\xBB\xBFn02\r\nn00 \r\n\r\nn02\r\n"), image_classes);
}

// "10.jpg" sorts before "2.jpg", but whoever wrote the list may have counted.
TEST(OrderedLabels, DoubtfulOrderIsRefused) {
  const Ids numbered{"1.jpg", "10.jpg", "2.jpg"};
  expect_refused(numbered, "n00\nn01\nn02\n", {"line 2", "10.jpg or of 2.jpg", "name,class"});
  EXPECT_EQ(labelled(numbered, "n00\nn01\nn01\n"),
            (Classes{{"1.jpg", "n00"}, {"10.jpg", "n01"}, {"2.jpg", "n01"}}));
  expect_refused({"a/2.jpg", "b/1.jpg"}, "n00\nn01\n", {"line 1", "b/1.jpg or of a/2.jpg", "folders"});
  expect_refused({"a/1.jpg", "a/2.jpg", "b/1.jpg"}, "n00\nn01\nn02\n", {"line 2", "folders"});
}

}  // namespace
}  // namespace convoy::test
