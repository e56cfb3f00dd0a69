// Fields that are filled by choice: letters fetch a list, arrows and Enter or a click choose from it, Esc closes it.
import Combobox from "./vendor/combobox-nav-3.0.2/combobox-nav.js"

for (const field of document.querySelectorAll("[data-choices]")) {
  const list = document.getElementById(field.dataset.choices)
  const combobox = new Combobox(field, list, { firstOptionSelectionMode: "active", tabInsertsSuggestions: false })
  let listed = null // the letters that the list is for
  let hurried = false // Enter was pressed before it came
  const close = () => {
    hurried = false
    if (list.hidden) return
    list.hidden = true
    combobox.stop()
  }
  field.addEventListener("htmx:before:request", () => { field.dataset.asked = field.value })
  field.addEventListener("htmx:after:swap", () => {
    if (document.activeElement !== field) return
    listed = field.dataset.asked
    if (list.hidden) {
      list.hidden = false
      combobox.start()
    } else combobox.resetSelection()
    if (hurried && listed === field.value) list.querySelector("[data-go]")?.click()
  })
  list.addEventListener("mousedown", (event) => event.preventDefault())
  list.addEventListener("combobox-commit", (event) => location.assign(event.target.dataset.go))
  field.addEventListener("focus", () => field.select())
  field.addEventListener("blur", close)
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close()
    if (event.key === "Enter" && listed !== field.value) {
      event.preventDefault()
      event.stopImmediatePropagation()
      hurried = true
    }
  }, true)
}
