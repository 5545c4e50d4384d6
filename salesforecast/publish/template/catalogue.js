(function () {
  "use strict";
  var box = document.querySelector(".sf-filter input");
  if (!box) { return; }
  box.closest("p").hidden = false;
  box.addEventListener("input", function () {
    var wanted = box.value.trim().toLowerCase().split(/\s+/);
    document.querySelectorAll("section").forEach(function (section) {
      var name = section.querySelector("h2").textContent, left = 0;
      section.querySelectorAll("tbody tr").forEach(function (row) {
        var text = (name + " " + row.textContent).toLowerCase();
        row.hidden = !wanted.every(function (word) { return text.indexOf(word) >= 0; });
        left += row.hidden ? 0 : 1;
      });
      section.hidden = !left && !!section.querySelector("tbody");
    });
  });
}());
