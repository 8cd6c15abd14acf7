// The order of classes, lists of classes and lists of their names.

#include <gtest/gtest.h>

#include "data/image_files.hpp"
#include "sources/class_list.hpp"
#include "sources/class_order.hpp"
#include "sources/natural_order.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

using Ids = std::vector<std::string>;
using Words = std::map<std::string, std::string>;

Ids sorted(Ids ids) {
  sort_class_ids(ids);
  return ids;
}

TEST(NaturalOrder, DigitsCountByTheirValue) {
  const Ids order{"", "1", "a", "a01", "a1", "a1b", "a2", "a10", "a10b1", "a10b01x", "b"};
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = 0; j < order.size(); ++j)
      EXPECT_EQ(natural_less(order[i], order[j]), i < j) << order[i] << " and " << order[j];
  EXPECT_TRUE(natural_less("18446744073709551615", "18446744073709551616"));
}

TEST(ClassOrder, NumbersByValueOtherNamesByBytes) {
  EXPECT_EQ(sorted({"10", "9", "0", "11", "2"}), (Ids{"0", "2", "9", "10", "11"}));
  EXPECT_EQ(sorted({"0010", "0002", "0001"}), (Ids{"0001", "0002", "0010"}));
  EXPECT_EQ(sorted({"1", "10", "02", "01"}), (Ids{"01", "1", "02", "10"}));
  EXPECT_EQ(sorted({"10", "9", "x"}), (Ids{"10", "9", "x"}));
  EXPECT_EQ(sorted({"class10", "class9", "Zoo"}), (Ids{"Zoo", "class10", "class9"}));
  EXPECT_EQ(sorted({"-1", "10", "9"}), (Ids{"-1", "10", "9"}));
}

TEST(ClassOrder, RelationOfLabelsAndNumbersIsToldInWords) {
  EXPECT_FALSE(number_order({"ant", "1"}));
  EXPECT_FALSE(number_order({}));
  EXPECT_TRUE(number_order({"0", "1", "2"})->same);
  EXPECT_TRUE(number_order({"000", "001"})->same);
  const auto text_of = [](const Ids& ids) {
    const auto order = number_order(ids);
    EXPECT_FALSE(order->same);
    return order->text;
  };
  EXPECT_NE(text_of({"1", "2", "3"}).find("label i is class i + 1"), std::string::npos);
  EXPECT_NE(text_of({"0", "1", "3", "7"}).find("gaps"), std::string::npos);
  EXPECT_NE(text_of({"0", "1", "3", "7"}).find("label 2 is class 3, label 3 is class 7"), std::string::npos);
  EXPECT_NE(text_of({"0", "1", "10", "2"}).find("not ordered by value"), std::string::npos);
  EXPECT_NE(text_of({"0", "1", "10", "2"}).find("label 2 is class 10"), std::string::npos);
  EXPECT_TRUE(text_of({"0", "1", "2", "5"})
                  .ends_with("gaps, but a label is the position in this order: label 3 is class 5"));
  EXPECT_EQ(text_of({"5"}), "the only class is the number 5, but labels count from 0: label 0 is class 5");
  EXPECT_NE(text_of({"007", "7"}).find("ordered by value, some of them equal"), std::string::npos);
  EXPECT_NE(text_of({"007", "7"}).find("label 0 is class 007, label 1 is class 7"), std::string::npos);
}

TEST(ClassOrder, NearlyEqualNamesAreRemarkedOn) {
  EXPECT_TRUE(similar_ids({"ant", "bee", "cat"}).empty());
  const auto cases = similar_ids({"Cat", "ant", "cat"});
  ASSERT_EQ(cases.size(), 1U);
  EXPECT_NE(cases[0].find("Cat and cat differ only in case"), std::string::npos);
  const auto zeros = similar_ids({"01", "1", "2"});
  ASSERT_EQ(zeros.size(), 1U);
  EXPECT_NE(zeros[0].find("01 and 1 differ only in leading zeros"), std::string::npos);
}

TEST(ClassOrder, FoldersNamedByLabelTakeTheStoresClasses) {
  const auto read = [](Ids folders, const Ids& known) {
    SourceIndex index;
    index.classes = std::move(folders);
    return read_folders_as_labels(index, known) ? index.classes : Ids();
  };
  const Ids known{"n5", "n3", "n4"};
  EXPECT_EQ(read({"0", "1", "2"}, known), known);
  EXPECT_EQ(read({"00", "01", "02"}, known), known);
  EXPECT_EQ(read({"1", "2", "3"}, known), Ids()) << "these count from 1";
  EXPECT_EQ(read({"0", "1"}, known), Ids()) << "some are missing: the numbers may be others";
  EXPECT_EQ(read({"0", "1", "2"}, {}), Ids());
  EXPECT_EQ(read({"0", "1", "2"}, {"0", "2", "1"}), Ids()) << "the store's own classes are numbers";
}

TEST(ClassList, EditorsMarksAndBlanksAreNoPartOfIds) {
  const TemporaryFolder folder;
  write_file(folder / "list", "\xEF\xBB\xBF n02 \r\n\r\nn01\t\r\nsea lion\r\n");
  EXPECT_EQ(read_class_list(folder / "list"), (Ids{"n02", "n01", "sea lion"}));
  write_file(folder / "twice", "a\n\nb\na\n");
  expect_error(ExitCode::bad_data, {"class a", "lines 1 and 4"}, [&] { read_class_list(folder / "twice"); });
  write_file(folder / "utf16", std::string("\xFF\xFE"
                                           "a\0\n\0",
                                           6));
  expect_error(ExitCode::bad_data, {"UTF-16"}, [&] { read_class_list(folder / "utf16"); });
  write_file(folder / "words", "n01440764 tench, Tinca tinca\nn01443537 goldfish\n");
  expect_error(ExitCode::bad_data, {"--class-names"}, [&] { read_class_list(folder / "words"); });
}

TEST(ClassNames, EveryFormGivesTheSameWords) {
  const TemporaryFolder folder;
  const Ids ids{"n01", "n02"};
  const Words expected{{"n01", "tench, Tinca tinca"}, {"n02", "kite"}, {"n99", "not in the data"}};
  for (const std::string form :
       {"n01 tench, Tinca tinca\nn02 kite\nn99 not in the data\n",
        "\xEF\xBB\xBFn01\ttench, Tinca tinca\r\nn02\tkite \r\nn99\tnot in the data\r\n",
        "n01,\"tench, Tinca tinca\"\nn02,kite\nn99,not in the data\n",
        "n01, tench, Tinca tinca\nn02, kite\nn99, not in the data\n",
        "n01;tench, Tinca tinca\nn02;\"kite\"\nn99;not in the data\nn02;kite\n"}) {
    SCOPED_TRACE(form);
    write_file(folder / "words", form);
    EXPECT_EQ(read_class_names(folder / "words", ids), expected);
  }
  write_file(folder / "words", "id,name,kingdom\nn01,tench,animal\nn02,kite,animal\n");
  EXPECT_EQ(read_class_names(folder / "words", ids).at("n01"), "tench");
  write_file(folder / "words", "id, name, kingdom\nn01, tench, animal\nn02, kite, animal\n");
  EXPECT_EQ(read_class_names(folder / "words", ids).at("n01"), "tench");
  write_file(folder / "words", "n01,tench,animal\nn02,kite,animal\n");
  EXPECT_EQ(read_class_names(folder / "words", ids).at("n02"), "kite");
  // As many commas in each line by chance; the first id is none of the data.
  write_file(folder / "words", "n00,shark, Selachii\nn01,tench, Tinca\nn02, gold, Carassius\n");
  EXPECT_EQ(read_class_names(folder / "words", ids),
            (Words{{"n00", "shark, Selachii"}, {"n01", "tench, Tinca"}, {"n02", "gold, Carassius"}}));
  write_file(folder / "words", "sea lion,Otariinae\nn02,kite\n");
  EXPECT_EQ(read_class_names(folder / "words", {"n02", "sea lion"}).at("sea lion"), "Otariinae");
}

TEST(ClassNames, ContradictionsAndLinesWithoutWordsAreRefused) {
  const TemporaryFolder folder;
  write_file(folder / "words", "n01 tench\nn02 kite\nn01 shark\n");
  expect_error(ExitCode::bad_data, {"lines 1 and 3", "n01"},
               [&] { read_class_names(folder / "words", {"n01"}); });
  write_file(folder / "words", "n01 tench\nn02\n");
  expect_error(ExitCode::bad_data, {"line 2", "n02"}, [&] { read_class_names(folder / "words", {"n01"}); });
}

TEST(OutputClasses, IdsWithWordsOrNames) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    write_file(folder / "list", text);
    return read_output_classes(folder / "list");
  };
  using Classes = std::vector<ClassEntry>;
  const Classes fish{{"n01443537", "goldfish, Carassius auratus"}, {"n01440764", "tench"}};
  EXPECT_EQ(read("n01443537 goldfish, Carassius auratus\nn01440764 tench\n"), fish);
  EXPECT_EQ(read("n01443537\tgoldfish, Carassius auratus\nn01440764\ttench\n"), fish);
  EXPECT_EQ(read("cat\tHouse cat\r\ndog\tDog\r\n"), (Classes{{"cat", "House cat"}, {"dog", "Dog"}}));
  EXPECT_EQ(
      read("great white shark\n\ntench, Tinca tinca\n"),
      (Classes{{"great white shark", "great white shark"}, {"tench, Tinca tinca", "tench, Tinca tinca"}}));
  EXPECT_EQ(read("crane\ntoad\ncrane\n"),
            (Classes{{"crane", "crane"}, {"toad", "toad"}, {"crane 2", "crane"}}));
  expect_error(ExitCode::bad_data, {"list is empty"}, [&] { read("\n"); });
  expect_error(ExitCode::bad_data, {"class cat occurs twice, in lines 1 and 2"},
               [&] { read("cat\tA\ncat\tB\n"); });
  expect_error(ExitCode::bad_data, {"n01440764 occurs twice"}, [&] { read("n01440764 a\nn01440764 b\n"); });
}

}  // namespace
}  // namespace convoy::test
